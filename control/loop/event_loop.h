// The control thread's wait: descriptors in, calls of their handlers out.
//
// One thread owns it. A turn handles at most kMaxEvents descriptors, so no
// source starves another. Handlers may watch and forget descriptors, their own
// too.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lwt::loop {

class EventLoop {
 public:
  using Handler = std::function<void(uint32_t events)>;
  static constexpr int kMaxEvents = 32;

  static absl::StatusOr<std::unique_ptr<EventLoop>> Create();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  ~EventLoop();

  // `events` is EPOLLIN, EPOLLOUT or both. The descriptor stays the caller's.
  absl::Status Watch(int fd, uint32_t events, Handler handler);
  // Other events for a watched descriptor.
  void Change(int fd, uint32_t events);
  // Call it before closing a watched descriptor.
  void Forget(int fd);

  // Waits at most `timeout_us`, rounded up to a millisecond, and runs the
  // handlers of what is ready. Returns how many ran.
  int Turn(uint64_t timeout_us);

 private:
  // Who watches a descriptor. The number tells it from whoever watched one of
  // the same number before, of which this turn may still hold an event.
  struct Watcher {
    uint32_t number = 0;
    std::shared_ptr<Handler> handler;
  };

  explicit EventLoop(int epoll_fd) : epoll_fd_(epoll_fd) {}
  int Control(int operation, int fd, uint32_t events, uint32_t number);

  const int epoll_fd_;
  uint32_t last_number_ = 0;
  std::unordered_map<int, Watcher> handlers_;
};

}  // namespace lwt::loop
