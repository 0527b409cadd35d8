// A hub's STUN: the UDP ports of the same number as where it listens, and the
// one above each. Owns the sockets; StunServer knows what to say.
//
// Whoever floods them has kDatagramsPerSecond read; the kernel drops the rest,
// and nobody else of the control thread waits. Control thread.
#pragma once

#include <cstdint>
#include <vector>

#include "control/base/log.h"
#include "control/loop/component.h"
#include "control/loop/event_loop.h"
#include "control/nat/stun_server.h"
#include "control/nat/udp_socket.h"

namespace lwt::nat {

class StunService final : public loop::Component {
 public:
  static constexpr handshake::Rate kReadRate{2000, 64};
  static constexpr uint64_t kPauseUs = 20'000;

  // Where the hub listens. A port that somebody else has is said and done
  // without.
  StunService(const std::vector<Endpoint>& listens,
              const StunServer::Config& config, loop::EventLoop& loop,
              const loop::Log& log);
  ~StunService() override;

  uint64_t NextDeadline() const override { return resume_us_; }
  void OnTimer(uint64_t now_us) override;

  size_t sockets() const { return sockets_.size(); }

 private:
  void Open(const Endpoint& local, const loop::Log& log);
  void Watch();
  void OnReady(size_t index, uint64_t now_us);
  void Respond(const UdpSocket& socket, const UdpSocket::Datagram& datagram,
               uint64_t now_us);
  StunServer::Place PlaceOf(const Endpoint& local) const;
  // The one that is bound to it, by itself or to all addresses.
  const UdpSocket* Find(const Endpoint& local) const;

  loop::EventLoop& loop_;
  const std::vector<Endpoint> listens_;
  StunServer server_;
  std::vector<UdpSocket> sockets_;
  handshake::TokenBucket reads_{kReadRate};
  uint64_t resume_us_ = kNever;
};

}  // namespace lwt::nat
