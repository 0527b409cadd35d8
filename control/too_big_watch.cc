#include "control/too_big_watch.h"

#include <sys/epoll.h>

#include <utility>

#include "dataplane/clock.h"

namespace lwt {

absl::StatusOr<std::unique_ptr<TooBigWatch>> TooBigWatch::Start(
    int ifindex, loop::EventLoop& loop, peer::WorkerLink& link) {
  absl::StatusOr<host::TooBigSocket> socket = host::TooBigSocket::Open(ifindex);
  if (!socket.ok()) return socket.status();
  std::unique_ptr<TooBigWatch> watch(
      new TooBigWatch(*std::move(socket), loop, link));
  for (const int fd : watch->socket_.fds()) {
    const absl::Status status = loop.Watch(
        fd, EPOLLIN, [raw = watch.get()](uint32_t) { raw->OnReady(); });
    if (!status.ok()) return status;
  }
  return watch;
}

TooBigWatch::~TooBigWatch() {
  for (const int fd : socket_.fds()) loop_.Forget(fd);
}

void TooBigWatch::OnReady() {
  const uint64_t now_us = MonotonicUs();
  for (const wire::TooBig& told : socket_.Drain()) {
    if (!heeded_.Take(kHeeded, now_us)) continue;
    link_.SendToAll(TooBigCommand{told});
  }
}

}  // namespace lwt
