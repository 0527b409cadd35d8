// Hands on to the workers what routers say of segments that were too large for
// them. Whether to believe it they find out themselves (OuterTcp::OnTooBig).
//
// So much of it a second, whoever sends it: what is lost here a flow finds out
// by what does not arrive. Owned by the gateway. Control thread.
#pragma once

#include <absl/status/status.h>

#include <functional>
#include <optional>
#include <utility>

#include "control/base/log.h"
#include "control/handshake/rate_limit.h"
#include "control/host/net/too_big_socket.h"
#include "control/loop/component.h"
#include "control/loop/event_loop.h"
#include "control/workers/worker_link.h"

namespace lwt {

class TooBigWatch final : public loop::Component {
 public:
  static constexpr handshake::Rate kHeeded{100, 100};

  // Of the uplink, whose number `ifindex` tells: 0 while there is none. All
  // outlive it.
  TooBigWatch(std::function<int()> ifindex, loop::EventLoop& loop,
              peer::WorkerLink& link, const loop::Log& log)
      : ifindex_(std::move(ifindex)), loop_(loop), link_(link), log_(log) {}
  ~TooBigWatch() override { Forget(); }

  // Follows the uplink to another interface.
  void OnTimer(uint64_t now_us) override;

 private:
  absl::Status Listen(int ifindex);
  void Forget();
  void OnReady();

  const std::function<int()> ifindex_;
  loop::EventLoop& loop_;
  peer::WorkerLink& link_;
  const loop::Log& log_;
  int heard_at_ = 0;  // the interface
  std::optional<host::TooBigSocket> socket_;
  handshake::TokenBucket heeded_{kHeeded};
};

}  // namespace lwt
