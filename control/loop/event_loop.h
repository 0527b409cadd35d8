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
  explicit EventLoop(int epoll_fd) : epoll_fd_(epoll_fd) {}

  const int epoll_fd_;
  std::unordered_map<int, std::shared_ptr<Handler>> handlers_;
};

}  // namespace lwt::loop
