// What a client knows of the NAT in front of it: asked of its hub when the
// session comes up, when the way there changes, and each kEveryUs.
//
// Control thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/base/log.h"
#include "control/handshake/key_ring.h"
#include "control/loop/event_loop.h"
#include "control/nat/nat_detection.h"
#include "control/nat/udp_socket.h"

namespace lwt::nat {

class NatWatch {
 public:
  static constexpr uint64_t kEveryUs = 30 * 60 * uint64_t{1'000'000};
  static constexpr uint64_t kNever = UINT64_MAX;

  // The way to a hub.
  struct Way {
    Endpoint hub;
    IpAddress source;
    std::string device;
    friend bool operator==(const Way&, const Way&) = default;
  };

  // `loop`, `keys` and `log` outlive it.
  NatWatch(loop::EventLoop& loop, const handshake::KeyRing& keys,
           const loop::Log& log)
      : loop_(loop), keys_(keys), log_(log) {}
  ~NatWatch() { Stop(); }

  // There is a session by it, or none. Asks where it is another way.
  void SetWay(const std::optional<Way>& way, uint64_t now_us);
  bool Asks(const Endpoint& hub) const { return way_ && way_->hub == hub; }
  uint64_t NextDeadline() const;
  void OnTimer(uint64_t now_us);

  // Of the way as it is; empty until it is known.
  const std::optional<NatVerdict>& verdict() const { return verdict_; }

 private:
  void Start(uint64_t now_us);
  void Stop();
  void OnReady(size_t socket);
  void Finish();

  loop::EventLoop& loop_;
  const handshake::KeyRing& keys_;
  const loop::Log& log_;
  std::optional<Way> way_;
  uint64_t next_us_ = kNever;  // when it is asked again
  std::vector<UdpSocket> sockets_;
  std::optional<NatDetection> detection_;
  std::optional<NatVerdict> verdict_;
  std::string said_;
};

}  // namespace lwt::nat
