// Hands on to the workers what routers say of segments that were too large for
// them. Whether to believe it they find out themselves (OuterTcp::OnTooBig).
//
// So much of it a second, whoever sends it: what is lost here a flow finds out
// by what does not arrive. Owned by the gateway. Control thread.
#pragma once

#include <absl/status/status.h>

#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

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

  // At each interface of the uplink, of which it asks in each turn. All outlive
  // it.
  using Interfaces = std::function<std::vector<int>()>;
  TooBigWatch(Interfaces interfaces, loop::EventLoop& loop,
              peer::WorkerLink& link, const loop::Log& log)
      : interfaces_(std::move(interfaces)),
        loop_(loop),
        link_(link),
        log_(log) {}
  ~TooBigWatch() override;

  // Follows the uplink to other interfaces.
  void OnTimer(uint64_t now_us) override;

 private:
  absl::Status Listen(int ifindex);
  void Forget(int ifindex);
  void OnReady(int ifindex);

  const Interfaces interfaces_;
  loop::EventLoop& loop_;
  peer::WorkerLink& link_;
  const loop::Log& log_;
  // By interface; none where it could not be had.
  std::map<int, std::optional<host::TooBigSocket>> ears_;
  handshake::TokenBucket heeded_{kHeeded};
};

}  // namespace lwt
