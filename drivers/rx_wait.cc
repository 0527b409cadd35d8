#include "drivers/rx_wait.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

namespace lwt {
namespace {

constexpr uint64_t kMicrosPerSecond = 1'000'000;
constexpr long kNanosPerMicro = 1000;
constexpr int kMaxEvents = 16;

}  // namespace

RxWait::RxWait(int epoll_fd, int event_fd)
    : epoll_fd_(epoll_fd), event_fd_(event_fd) {}

RxWait::~RxWait() {
  if (epoll_fd_ >= 0) close(epoll_fd_);
  if (event_fd_ >= 0) close(event_fd_);
}

absl::StatusOr<std::unique_ptr<RxWait>> RxWait::Create(
    std::span<Port* const> ports) {
  std::unique_ptr<RxWait> wait(new RxWait(
      epoll_create1(EPOLL_CLOEXEC), eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)));
  if (wait->epoll_fd_ < 0 || wait->event_fd_ < 0) {
    return absl::ErrnoToStatus(errno, "cannot make a worker's wait set");
  }
  // Edge-triggered: each Kick is reported once, so it need not be read off.
  epoll_event kick{};
  kick.events = EPOLLIN | EPOLLET;
  if (epoll_ctl(wait->epoll_fd_, EPOLL_CTL_ADD, wait->event_fd_, &kick) != 0) {
    return absl::ErrnoToStatus(errno, "cannot watch a worker's kick");
  }
  for (const Port* port : ports) {
    const absl::Status added = wait->Add(*port);
    if (!added.ok()) return added;
  }
  return wait;
}

absl::Status RxWait::Add(const Port& port) {
  if (port.wait_fd() < 0) {
    polled_ports_.fetch_add(1, std::memory_order_relaxed);
    return absl::OkStatus();
  }
  epoll_event readable{};
  readable.events = EPOLLIN;
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, port.wait_fd(), &readable) != 0) {
    return absl::ErrnoToStatus(
        errno, absl::StrCat("cannot watch port ", port.info().device));
  }
  return absl::OkStatus();
}

void RxWait::Remove(const Port& port) {
  if (port.wait_fd() < 0) {
    polled_ports_.fetch_sub(1, std::memory_order_relaxed);
    return;
  }
  epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, port.wait_fd(), nullptr);
}

void RxWait::Wait(uint64_t timeout_us) {
  if (polled_ports_.load(std::memory_order_relaxed) > 0) {
    timeout_us = std::min(timeout_us, kPolledPortTimeoutUs);
  }
  timespec timeout{};
  timeout.tv_sec = static_cast<time_t>(timeout_us / kMicrosPerSecond);
  timeout.tv_nsec =
      static_cast<long>(timeout_us % kMicrosPerSecond) * kNanosPerMicro;
  epoll_event events[kMaxEvents];
  epoll_pwait2(epoll_fd_, events, kMaxEvents, &timeout, nullptr);
}

void RxWait::Kick() {
  const uint64_t one = 1;
  // Fails only when the counter is full, in which case a kick is pending.
  [[maybe_unused]] const ssize_t written = write(event_fd_, &one, sizeof(one));
}

}  // namespace lwt
