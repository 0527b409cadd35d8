#include "control/nat/stun_service.h"

#include <algorithm>
#include <utility>

#include "dataplane/clock.h"

namespace lwt::nat {

StunService::StunService(const std::vector<Endpoint>& listens,
                         const StunServer::Config& config,
                         loop::EventLoop& loop, const loop::Log& log)
    : loop_(loop), listens_(listens), server_(config) {
  for (const Endpoint& local : listens) {
    Open(local, log);
    if (local.port == UINT16_MAX) continue;
    Open({local.address, static_cast<uint16_t>(local.port + 1)}, log);
  }
  Watch();
}

StunService::~StunService() {
  for (const UdpSocket& socket : sockets_) loop_.Forget(socket.fd());
}

void StunService::Open(const Endpoint& local, const loop::Log& log) {
  absl::StatusOr<UdpSocket> socket = UdpSocket::Bind(local);
  if (socket.ok()) {
    sockets_.push_back(*std::move(socket));
    return;
  }
  log.Warn("stun: ", socket.status().message(),
           "; clients cannot ask there how their NAT treats them; "
           "`ss -lunp` names who has it");
}

void StunService::Watch() {
  for (size_t i = 0; i < sockets_.size(); ++i) {
    // Without room for one more nobody is answered by it.
    loop_
        .Watch(sockets_[i].fd(), EPOLLIN,
               [this, i](uint32_t) { OnReady(i, MonotonicUs()); })
        .IgnoreError();
  }
}

void StunService::OnTimer(uint64_t now_us) {
  if (now_us < resume_us_) return;
  resume_us_ = kNever;
  Watch();
}

void StunService::OnReady(size_t index, uint64_t now_us) {
  // One byte more tells what is too long.
  uint8_t buffer[kMostStunBytes + 1];
  while (resume_us_ == kNever) {
    if (!reads_.Take(kReadRate, now_us)) {
      for (const UdpSocket& socket : sockets_) loop_.Forget(socket.fd());
      resume_us_ = now_us + kPauseUs;
      return;
    }
    const auto datagram = sockets_[index].Receive(buffer);
    if (!datagram) return;
    Respond(sockets_[index], *datagram, now_us);
  }
}

void StunService::Respond(const UdpSocket& socket,
                          const UdpSocket::Datagram& datagram,
                          uint64_t now_us) {
  const Endpoint local{datagram.local, socket.local().port};
  const auto answer = server_.OnDatagram(PlaceOf(local), datagram.source,
                                         datagram.bytes, now_us);
  if (!answer) return;
  const UdpSocket* from = Find(answer->from);
  if (from != nullptr) {
    from->Send(answer->from.address, datagram.source, answer->bytes);
  }
}

StunServer::Place StunService::PlaceOf(const Endpoint& local) const {
  StunServer::Place place{.local = local};
  // Below and above are one pair, of whatever is listened at.
  const auto pair = std::find_if(
      listens_.begin(), listens_.end(), [&local](const Endpoint& listen) {
        return listen.port == local.port || listen.port + 1 == local.port;
      });
  if (pair == listens_.end()) return place;
  const auto other_port = static_cast<uint16_t>(
      pair->port == local.port ? local.port + 1 : pair->port);
  if (Find({local.address, other_port}) != nullptr) {
    place.other_port = other_port;
  }
  for (const Endpoint& listen : listens_) {
    const Endpoint other{listen.address, other_port};
    if (listen.address.family == local.address.family &&
        !listen.address.IsUnspecified() && listen.address != local.address &&
        Find(other) != nullptr && Find({listen.address, local.port})) {
      place.other_address = other;
      break;
    }
  }
  return place;
}

const UdpSocket* StunService::Find(const Endpoint& local) const {
  const UdpSocket* all = nullptr;
  for (const UdpSocket& socket : sockets_) {
    if (socket.local() == local) return &socket;
    if (socket.local() ==
        Endpoint{IpAddress::Any(local.address.family), local.port}) {
      all = &socket;
    }
  }
  return all;
}

}  // namespace lwt::nat
