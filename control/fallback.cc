#include "control/fallback.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace lwt {
namespace {

constexpr uint64_t kSweepUs = 1'000'000;

socklen_t ToSocketAddress(const Endpoint& endpoint, sockaddr_storage& out) {
  out = {};
  if (endpoint.address.family == Family::kIpv4) {
    auto& ipv4 = reinterpret_cast<sockaddr_in&>(out);
    ipv4.sin_family = AF_INET;
    ipv4.sin_port = htons(endpoint.port);
    std::memcpy(&ipv4.sin_addr, endpoint.address.bytes.data(), 4);
    return sizeof(ipv4);
  }
  auto& ipv6 = reinterpret_cast<sockaddr_in6&>(out);
  ipv6.sin6_family = AF_INET6;
  ipv6.sin6_port = htons(endpoint.port);
  std::memcpy(&ipv6.sin6_addr, endpoint.address.bytes.data(), 16);
  return sizeof(ipv6);
}

// A socket on its way to the service, or -1.
int ConnectTo(const Endpoint& service) {
  sockaddr_storage address;
  const socklen_t size = ToSocketAddress(service, address);
  const int fd =
      socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0 ||
      errno == EINPROGRESS) {
    return fd;
  }
  close(fd);
  return -1;
}

bool MayGoOn() { return errno == EAGAIN || errno == EINTR; }

}  // namespace

Fallback::~Fallback() {
  while (!visitors_.empty()) Remove(visitors_.back()->relay->flow());
}

bool Fallback::Take(FlowId flow, std::span<const PuntedStream> pieces,
                    uint64_t now_us) {
  if (!service_ || visitors_.size() == kMaxVisitors) return false;
  const int fd = ConnectTo(*service_);
  if (fd < 0) {
    log_.Warn("the fallback ", ToString(*service_),
              " cannot be reached: ", strerror(errno));
    return false;
  }
  now_us_ = now_us;
  auto relay = std::make_unique<peer::Relay>(link_, flow);
  for (const PuntedStream& piece : pieces) relay->OnStream(piece);
  visitors_.push_back(
      std::unique_ptr<Visitor>(new Visitor{ScopedFd(fd), std::move(relay)}));
  visitors_.back()->moved_us = now_us;
  next_sweep_us_ = std::min(next_sweep_us_, now_us + kSweepUs);
  Pump(flow);
  return true;
}

Fallback::Visitor* Fallback::Find(FlowId flow) {
  for (const auto& visitor : visitors_) {
    if (visitor->relay->flow() == flow) return visitor.get();
  }
  return nullptr;
}

bool Fallback::OnStream(const PuntedStream& stream, uint64_t now_us) {
  Visitor* visitor = Find(stream.flow);
  if (visitor == nullptr) return false;
  now_us_ = now_us;
  visitor->relay->OnStream(stream);
  Pump(stream.flow);
  return true;
}

bool Fallback::OnEvent(const Event& event, uint64_t now_us) {
  Visitor* visitor = Find(event.flow);
  if (visitor == nullptr) return false;
  now_us_ = now_us;
  switch (event.kind) {
    case EventKind::kStreamRoom:
      visitor->relay->OnRoom(event.value);
      break;
    case EventKind::kStreamEnded:
      visitor->relay->OnEnded();
      break;
    case EventKind::kFlowDown:
      visitor->relay->OnFlowDown();
      break;
    default:
      return true;
  }
  Pump(event.flow);
  return true;
}

void Fallback::OnTimer(uint64_t now_us) {
  now_us_ = now_us;
  if (now_us < next_sweep_us_) return;
  for (size_t i = visitors_.size(); i-- > 0;) {
    const FlowId flow = visitors_[i]->relay->flow();
    if (now_us - visitors_[i]->moved_us >= kIdleUs) {
      Remove(flow);
    } else if (visitors_[i]->relay->Room() == 0) {
      // Asks for kStreamRoom again: one that found the ring full is lost.
      link_.Send(SpliceCommand{flow});
    }
  }
  next_sweep_us_ = visitors_.empty() ? UINT64_MAX : now_us + kSweepUs;
}

void Fallback::Pump(FlowId flow) {
  Visitor* visitor = Find(flow);
  if (visitor == nullptr) return;
  if (visitor->relay->flow_up() && PumpToService(*visitor) &&
      PumpFromService(*visitor) && Rewatch(*visitor)) {
    return;
  }
  Remove(flow);
}

// False when the connection is of no more use.
bool Fallback::PumpToService(Visitor& visitor) {
  peer::Relay& relay = *visitor.relay;
  for (auto bytes = relay.ForService(); !bytes.empty();
       bytes = relay.ForService()) {
    const ssize_t sent = send(visitor.socket.get(), bytes.data(), bytes.size(),
                              MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) return MayGoOn();
    relay.ServiceTook(static_cast<size_t>(sent));
    visitor.moved_us = now_us_;
  }
  if (relay.VisitorDone() && !visitor.told_end) {
    visitor.told_end = shutdown(visitor.socket.get(), SHUT_WR) == 0;
  }
  return true;
}

bool Fallback::PumpFromService(Visitor& visitor) {
  std::array<uint8_t, peer::Relay::kChunk> bytes;
  while (const size_t room = visitor.relay->Room()) {
    const ssize_t got =
        recv(visitor.socket.get(), bytes.data(), room, MSG_DONTWAIT);
    if (got < 0) return MayGoOn();
    if (got == 0) return false;
    visitor.relay->FromService(
        std::span(bytes).first(static_cast<size_t>(got)));
    visitor.moved_us = now_us_;
  }
  return true;
}

// A socket that waits for nothing is not watched: epoll would go on telling
// that it hung up.
bool Fallback::Rewatch(Visitor& visitor) {
  uint32_t wanted = 0;
  if (visitor.relay->Room() > 0) wanted |= EPOLLIN;
  if (!visitor.relay->ForService().empty()) wanted |= EPOLLOUT;
  const int fd = visitor.socket.get();
  if (wanted == visitor.watched) return true;
  if (visitor.watched == 0) {
    const FlowId flow = visitor.relay->flow();
    if (!loop_.Watch(fd, wanted, [this, flow](uint32_t) { Pump(flow); }).ok()) {
      return false;
    }
  } else if (wanted == 0) {
    loop_.Forget(fd);
  } else {
    loop_.Change(fd, wanted);
  }
  visitor.watched = wanted;
  return true;
}

void Fallback::Remove(FlowId flow) {
  const auto at = std::find_if(
      visitors_.begin(), visitors_.end(),
      [flow](const auto& visitor) { return visitor->relay->flow() == flow; });
  if (at == visitors_.end()) return;
  if ((*at)->watched != 0) loop_.Forget((*at)->socket.get());
  visitors_.erase(at);
}

}  // namespace lwt
