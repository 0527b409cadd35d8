// Hands on to the workers what routers say of segments that were too large for
// them. Whether to believe it they find out themselves (OuterTcp::OnTooBig).
//
// So much of it a second, whoever sends it: what is lost here a flow finds out
// by what does not arrive. Owned by the gateway. Control thread.
#pragma once

#include <absl/status/statusor.h>

#include <memory>

#include "control/handshake/rate_limit.h"
#include "control/host/net/too_big_socket.h"
#include "control/loop/component.h"
#include "control/loop/event_loop.h"
#include "control/workers/worker_link.h"

namespace lwt {

class TooBigWatch final : public loop::Component {
 public:
  static constexpr handshake::Rate kHeeded{100, 100};

  // Of one interface. All outlive it.
  static absl::StatusOr<std::unique_ptr<TooBigWatch>> Start(
      int ifindex, loop::EventLoop& loop, peer::WorkerLink& link);
  ~TooBigWatch() override;

 private:
  TooBigWatch(host::TooBigSocket socket, loop::EventLoop& loop,
              peer::WorkerLink& link)
      : socket_(std::move(socket)), loop_(loop), link_(link) {}
  void OnReady();

  host::TooBigSocket socket_;
  loop::EventLoop& loop_;
  peer::WorkerLink& link_;
  handshake::TokenBucket heeded_{kHeeded};
};

}  // namespace lwt
