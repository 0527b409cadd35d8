// The real service behind a hub's port: connections to it for visitors who do
// not prove the key.
//
// Owns the sockets; the bytes and their limits are Relay's business. At most
// kMaxVisitors at once: one more meets what he would without a fallback.
// Control thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "control/loop/event_loop.h"
#include "control/loop/log.h"
#include "control/peer/relay.h"
#include "drivers/ip_endpoint.h"
#include "drivers/scoped_fd.h"

namespace lwt {

class Fallback final : public peer::VisitorDoor {
 public:
  static constexpr size_t kMaxVisitors = 256;
  // A visitor on whose connection nothing moves is let go; as long as web
  // servers wait, and a little more.
  static constexpr uint64_t kIdleUs = 120'000'000;

  Fallback(loop::EventLoop& loop, peer::WorkerLink& link, const loop::Log& log)
      : loop_(loop), link_(link), log_(log) {}
  Fallback(const Fallback&) = delete;
  Fallback& operator=(const Fallback&) = delete;
  ~Fallback() override;

  // Where the service is, once its name is resolved; nobody is taken before.
  void SetService(const Endpoint& service) { service_ = service; }

  // Refuses while the service is unknown or cannot be reached, and when too
  // many are being served.
  bool Take(FlowId flow, std::span<const PuntedStream> pieces,
            uint64_t now_us) override;
  // Takes bytes of a visitor's flow; false for any other flow's.
  bool OnStream(const PuntedStream& stream, uint64_t now_us);
  // False for an event that concerns no visitor.
  bool OnEvent(const Event& event, uint64_t now_us);
  void OnTimer(uint64_t now_us);
  uint64_t NextDeadline() const { return next_sweep_us_; }

  size_t visitors() const { return visitors_.size(); }

 private:
  struct Visitor {
    ScopedFd socket;
    std::unique_ptr<peer::Relay> relay;
    uint64_t moved_us = 0;
    uint32_t watched = 0;   // epoll events
    bool told_end = false;  // the service knows that the visitor is done
  };

  Visitor* Find(FlowId flow);
  void Pump(FlowId flow);
  bool PumpToService(Visitor& visitor);
  bool PumpFromService(Visitor& visitor);
  bool Rewatch(Visitor& visitor);
  void Remove(FlowId flow);

  loop::EventLoop& loop_;
  peer::WorkerLink& link_;
  const loop::Log& log_;
  std::optional<Endpoint> service_;
  std::vector<std::unique_ptr<Visitor>> visitors_;
  uint64_t now_us_ = 0;
  uint64_t next_sweep_us_ = UINT64_MAX;
};

}  // namespace lwt
