#include "control/loop/event_loop.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace lwt::loop {

absl::StatusOr<std::unique_ptr<EventLoop>> EventLoop::Create() {
  int fd = epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) {
    return absl::InternalError(
        absl::StrCat("cannot make an epoll descriptor: ", strerror(errno)));
  }
  return std::unique_ptr<EventLoop>(new EventLoop(fd));
}

EventLoop::~EventLoop() { close(epoll_fd_); }

int EventLoop::Control(int operation, int fd, uint32_t events,
                       uint32_t number) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = uint64_t{number} << 32 | static_cast<uint32_t>(fd);
  return epoll_ctl(epoll_fd_, operation, fd, &event);
}

absl::Status EventLoop::Watch(int fd, uint32_t events, Handler handler) {
  const uint32_t number = ++last_number_;
  if (Control(EPOLL_CTL_ADD, fd, events, number) != 0) {
    return absl::InternalError(
        absl::StrCat("cannot watch descriptor ", fd, ": ", strerror(errno)));
  }
  handlers_[fd] = {number, std::make_shared<Handler>(std::move(handler))};
  return absl::OkStatus();
}

void EventLoop::Change(int fd, uint32_t events) {
  const auto found = handlers_.find(fd);
  if (found == handlers_.end()) return;
  Control(EPOLL_CTL_MOD, fd, events, found->second.number);
}

void EventLoop::Forget(int fd) {
  epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
  handlers_.erase(fd);
}

int EventLoop::Turn(uint64_t timeout_us) {
  std::array<epoll_event, kMaxEvents> ready;
  uint64_t timeout_ms = std::min<uint64_t>(timeout_us, 60'000'000);
  timeout_ms = (timeout_ms + 999) / 1000;
  int count = epoll_wait(epoll_fd_, ready.data(), kMaxEvents,
                         static_cast<int>(timeout_ms));
  int ran = 0;
  for (int i = 0; i < count; ++i) {
    const uint64_t whose = ready[i].data.u64;
    const auto found = handlers_.find(static_cast<int>(whose & UINT32_MAX));
    if (found == handlers_.end() || found->second.number != whose >> 32) {
      continue;
    }
    // Kept alive while it runs: it may forget itself.
    const std::shared_ptr<Handler> handler = found->second.handler;
    (*handler)(ready[i].events);
    ++ran;
  }
  return ran;
}

}  // namespace lwt::loop
