#include "control/fallback/fallback.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <utility>

#include "control/base/socket_address.h"
namespace lwt {
namespace {

using loop::Cause;

constexpr uint64_t kSweepUs = 1'000'000;
constexpr size_t kLeastProbers = 8;

size_t AffordableProbers() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return Fallback::kMaxProbers;
  const size_t left = limit.rlim_cur > Fallback::kKeptDescriptors
                          ? limit.rlim_cur - Fallback::kKeptDescriptors
                          : 0;
  return std::clamp(left, kLeastProbers, Fallback::kMaxProbers);
}

// A socket on its way to `service`, or -1.
int ConnectTo(const Endpoint& service) {
  const SocketAddress address(service);
  const int fd =
      socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  if (connect(fd, address.get(), address.size) == 0 || errno == EINPROGRESS) {
    return fd;
  }
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

bool MayGoOn() { return errno == EAGAIN || errno == EINTR; }

}  // namespace

Fallback::Fallback(loop::EventLoop& loop, peer::WorkerLink& link,
                   peer::FlowOwners& owners, const loop::Log& log)
    : loop_(loop),
      link_(link),
      owners_(owners),
      log_(log),
      max_probers_(AffordableProbers()) {}

Fallback::~Fallback() {
  while (!probers_.empty()) Remove(probers_.back()->relay->flow());
}

Fallback::Network Fallback::NetworkOf(const IpAddress& address) {
  Network network{};
  network[0] = static_cast<uint8_t>(address.family);
  std::copy_n(address.bytes.begin(), address.family == Family::kIpv4 ? 3 : 7,
              network.begin() + 1);
  return network;
}

size_t Fallback::CountOf(const Network& network) const {
  return static_cast<size_t>(
      std::count_if(probers_.begin(), probers_.end(), [&](const auto& prober) {
        return NetworkOf(prober->remote.address) == network;
      }));
}

Fallback::Network Fallback::GreediestNetwork() const {
  std::map<Network, size_t> counts;
  for (const auto& prober : probers_) {
    ++counts[NetworkOf(prober->remote.address)];
  }
  const auto most = std::max_element(
      counts.begin(), counts.end(),
      [](const auto& a, const auto& b) { return a.second < b.second; });
  // Where nobody has more than others, all are asked.
  return most->second > 1 ? most->first : Network{};
}

void Fallback::MakeRoom(const Network& network) {
  if (probers_.empty()) return;
  const Network greediest =
      CountOf(network) >= kMaxOfNetwork ? network : GreediestNetwork();
  const Prober* slowest = nullptr;
  for (const auto& prober : probers_) {
    if (greediest != Network{} &&
        NetworkOf(prober->remote.address) != greediest) {
      continue;
    }
    if (slowest == nullptr || prober->progress_us < slowest->progress_us) {
      slowest = prober.get();
    }
  }
  log_.Info(Cause::Stranger(slowest->remote.address),
            "the fallback is full: ", ToString(slowest->remote),
            " makes room for another prober");
  Remove(slowest->relay->flow());
}

// A socket on its way to the service, or -1.
int Fallback::Connect(const Network& network) {
  int fd = ConnectTo(*service_);
  if (fd < 0 && (errno == EMFILE || errno == ENFILE) && !probers_.empty()) {
    MakeRoom(network);
    fd = ConnectTo(*service_);
  }
  if (fd < 0) ServiceFailed(strerror(errno));
  return fd;
}

void Fallback::ServiceFailed(std::string_view why) {
  if (!service_) return;  // it was of one that is not served any more
  log_.Warn(Cause::Peer("fallback"), "the fallback ", ToString(*service_),
            " cannot be reached: ", why);
}

bool Fallback::Take(FlowId flow, const Endpoint& remote,
                    std::span<const PuntedStream> pieces, uint64_t now_us) {
  if (!service_) return false;
  now_us_ = now_us;
  const Network network = NetworkOf(remote.address);
  if (probers_.size() >= max_probers_ || CountOf(network) >= kMaxOfNetwork) {
    MakeRoom(network);
  }
  const int fd = Connect(network);
  if (fd < 0) return false;
  auto relay = std::make_unique<peer::Relay>(link_, flow);
  for (const PuntedStream& piece : pieces) relay->OnStream(piece);
  probers_.push_back(std::unique_ptr<Prober>(
      new Prober{ScopedFd(fd), std::move(relay), remote, now_us}));
  owners_.OwnFlow(flow, *this);
  next_sweep_us_ = std::min(next_sweep_us_, now_us + kSweepUs);
  Pump(flow);
  return true;
}

Fallback::Prober* Fallback::Find(FlowId flow) const {
  for (const auto& prober : probers_) {
    if (prober->relay->flow() == flow) return prober.get();
  }
  return nullptr;
}

void Fallback::OnStream(const PuntedStream& stream, uint64_t now_us) {
  Prober* prober = Find(stream.flow);
  if (prober == nullptr) return;
  now_us_ = now_us;
  prober->relay->OnStream(stream);
  Pump(stream.flow);
}

void Fallback::OnEvent(const Event& event, uint64_t now_us) {
  Prober* prober = Find(event.flow);
  if (prober == nullptr) return;
  now_us_ = now_us;
  switch (event.kind) {
    case EventKind::kStreamRoom:
      prober->relay->OnRoom(event.value);
      break;
    case EventKind::kStreamEnded:
      prober->relay->OnEnded();
      break;
    case EventKind::kFlowDown:
      prober->relay->OnFlowDown();
      break;
    default:
      return;
  }
  Pump(event.flow);
}

void Fallback::OnTimer(uint64_t now_us) {
  now_us_ = now_us;
  if (now_us < next_sweep_us_) return;
  log_.Report();
  for (size_t i = probers_.size(); i-- > 0;) {
    const FlowId flow = probers_[i]->relay->flow();
    if (IsStale(*probers_[i])) {
      if (!probers_[i]->connected) ServiceFailed("it does not answer");
      Remove(flow);
    } else if (probers_[i]->relay->Room() == 0) {
      // Asks for kStreamRoom again: one that found the ring full is lost.
      link_.Send(SpliceCommand{flow});
    }
  }
  next_sweep_us_ = probers_.empty() ? UINT64_MAX : now_us + kSweepUs;
}

// Of a connection that waits for the service, for one side to take what the
// other has, or for anybody to say something.
bool Fallback::IsStale(const Prober& prober) const {
  const uint64_t since_us = now_us_ - prober.progress_us;
  if (!prober.connected) return since_us >= kConnectUs;
  const bool waits =
      prober.relay->WaitsForService() || prober.relay->WaitsForProber();
  return since_us >= (waits ? kStallUs : kIdleUs);
}

void Fallback::Moved(Prober& prober, size_t bytes) {
  prober.moved += bytes;
  if (prober.moved < kProgressBytes) return;
  prober.moved = 0;
  prober.progress_us = now_us_;
}

// False when the service refused the connection.
bool Fallback::CheckConnected(Prober& prober) {
  if (prober.connected) return true;
  int error = 0;
  socklen_t size = sizeof(error);
  const int fd = prober.socket.get();
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error != 0) {
    ServiceFailed(strerror(error));
    return false;
  }
  SocketAddress address;
  prober.connected = getpeername(fd, address.get(), &address.size) == 0;
  if (prober.connected) prober.progress_us = now_us_;
  return true;
}

void Fallback::Pump(FlowId flow) {
  Prober* prober = Find(flow);
  if (prober == nullptr) return;
  if (prober->relay->flow_up() && !prober->relay->broken() &&
      CheckConnected(*prober) && PumpToService(*prober) &&
      PumpFromService(*prober) && Rewatch(*prober)) {
    return;
  }
  Remove(flow);
}

// False when the connection is of no more use.
bool Fallback::PumpToService(Prober& prober) {
  if (!prober.connected) return true;
  peer::Relay& relay = *prober.relay;
  for (auto bytes = relay.ForService(); !bytes.empty();
       bytes = relay.ForService()) {
    const ssize_t sent = send(prober.socket.get(), bytes.data(), bytes.size(),
                              MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) return MayGoOn();
    relay.ServiceTook(static_cast<size_t>(sent));
    Moved(prober, static_cast<size_t>(sent));
  }
  if (relay.ProberDone() && !prober.told_end) {
    prober.told_end = shutdown(prober.socket.get(), SHUT_WR) == 0;
  }
  return true;
}

bool Fallback::PumpFromService(Prober& prober) {
  if (!prober.connected) return true;
  std::array<uint8_t, peer::Relay::kChunk> bytes;
  while (const size_t room = prober.relay->Room()) {
    const ssize_t got =
        recv(prober.socket.get(), bytes.data(), room, MSG_DONTWAIT);
    if (got < 0) return MayGoOn();
    if (got == 0) return false;
    prober.relay->FromService(std::span(bytes).first(static_cast<size_t>(got)));
    Moved(prober, static_cast<size_t>(got));
  }
  return true;
}

// A socket that waits for nothing is not watched: epoll would go on telling
// that it hung up.
bool Fallback::Rewatch(Prober& prober) {
  uint32_t wanted = 0;
  if (!prober.connected) {
    wanted = EPOLLOUT;
  } else {
    if (prober.relay->Room() > 0) wanted |= EPOLLIN;
    if (prober.relay->WaitsForService()) wanted |= EPOLLOUT;
  }
  const int fd = prober.socket.get();
  if (wanted == prober.watched) return true;
  if (prober.watched == 0) {
    const FlowId flow = prober.relay->flow();
    if (!loop_.Watch(fd, wanted, [this, flow](uint32_t) { Pump(flow); }).ok()) {
      return false;
    }
  } else if (wanted == 0) {
    loop_.Forget(fd);
  } else {
    loop_.Change(fd, wanted);
  }
  prober.watched = wanted;
  return true;
}

void Fallback::Remove(FlowId flow) {
  const auto at = std::find_if(
      probers_.begin(), probers_.end(),
      [flow](const auto& prober) { return prober->relay->flow() == flow; });
  if (at == probers_.end()) return;
  if ((*at)->watched != 0) loop_.Forget((*at)->socket.get());
  owners_.ForgetFlow(flow, *this);
  probers_.erase(at);
}

}  // namespace lwt
