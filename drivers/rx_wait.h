// How an idle worker sleeps: one epoll set over the wait descriptors of its
// ports and an eventfd by which other threads wake it.
//
// Owned by one worker, which alone calls Wait. Kick may be called by any
// thread. Wait costs one system call, two after a kick.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

#include "drivers/port.h"

namespace lwt {

class RxWait {
 public:
  // The longest sleep while one of the ports has no wait descriptor and so has
  // to be polled: it bounds the delay of a first packet on such a port.
  static constexpr uint64_t kPolledPortTimeoutUs = 200;

  // Watches the ports' wait descriptors, which live until this object's end or
  // Remove.
  static absl::StatusOr<std::unique_ptr<RxWait>> Create(
      std::span<Port* const> ports);

  RxWait(const RxWait&) = delete;
  RxWait& operator=(const RxWait&) = delete;
  ~RxWait();

  // Sleeps until a port is readable, Kick was called since the last Wait, or
  // `timeout_us` microseconds have passed. A signal also ends it.
  void Wait(uint64_t timeout_us);

  // One port more, or less, while the worker runs. By the thread that made this
  // object.
  absl::Status Add(const Port& port);
  void Remove(const Port& port);

  // Ends the Wait under way, or the next one if none is. Async-signal safe.
  void Kick();

 private:
  RxWait(int epoll_fd, int event_fd);

  const int epoll_fd_;
  const int event_fd_;
  std::atomic<int> polled_ports_{0};
};

}  // namespace lwt
