#include "control/too_big_watch.h"

#include <sys/epoll.h>

#include "dataplane/clock.h"

namespace lwt {

// An error is said once for an interface: what goes by it finds out by what
// does not arrive.
void TooBigWatch::OnTimer(uint64_t) {
  const int ifindex = ifindex_();
  if (ifindex == heard_at_) return;
  Forget();
  heard_at_ = ifindex;
  if (ifindex == 0) return;
  const absl::Status status = Listen(ifindex);
  if (!status.ok()) log_.Warn(status.message());
}

absl::Status TooBigWatch::Listen(int ifindex) {
  absl::StatusOr<host::TooBigSocket> socket = host::TooBigSocket::Open(ifindex);
  if (!socket.ok()) return socket.status();
  socket_.emplace(*std::move(socket));
  for (const int fd : socket_->fds()) {
    const absl::Status status =
        loop_.Watch(fd, EPOLLIN, [this](uint32_t) { OnReady(); });
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

void TooBigWatch::Forget() {
  if (!socket_) return;
  for (const int fd : socket_->fds()) loop_.Forget(fd);
  socket_.reset();
}

void TooBigWatch::OnReady() {
  const uint64_t now_us = MonotonicUs();
  for (const wire::TooBig& told : socket_->Drain()) {
    if (!heeded_.Take(kHeeded, now_us)) continue;
    link_.SendToAll(TooBigCommand{told});
  }
}

}  // namespace lwt
