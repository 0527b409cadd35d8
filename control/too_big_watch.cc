#include "control/too_big_watch.h"

#include <sys/epoll.h>

#include <algorithm>

#include "dataplane/clock.h"

namespace lwt {

TooBigWatch::~TooBigWatch() {
  while (!ears_.empty()) Forget(ears_.begin()->first);
}

// An error is said once for an interface: what goes by it finds out by what
// does not arrive.
void TooBigWatch::OnTimer(uint64_t) {
  const std::vector<int> now = interfaces_();
  std::vector<int> left;
  for (const auto& [ifindex, socket] : ears_) {
    const bool stays = std::find(now.begin(), now.end(), ifindex) != now.end();
    if (!stays) left.push_back(ifindex);
  }
  for (const int ifindex : left) Forget(ifindex);
  for (const int ifindex : now) {
    if (ears_.contains(ifindex)) continue;
    const absl::Status status = Listen(ifindex);
    if (!status.ok()) log_.Warn(status.message());
  }
}

absl::Status TooBigWatch::Listen(int ifindex) {
  std::optional<host::TooBigSocket>& ear = ears_[ifindex];
  absl::StatusOr<host::TooBigSocket> socket = host::TooBigSocket::Open(ifindex);
  if (!socket.ok()) return socket.status();
  ear.emplace(*std::move(socket));
  for (const int fd : ear->fds()) {
    const absl::Status status = loop_.Watch(
        fd, EPOLLIN, [this, ifindex](uint32_t) { OnReady(ifindex); });
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

void TooBigWatch::Forget(int ifindex) {
  const auto ear = ears_.find(ifindex);
  if (ear->second) {
    for (const int fd : ear->second->fds()) loop_.Forget(fd);
  }
  ears_.erase(ear);
}

void TooBigWatch::OnReady(int ifindex) {
  const uint64_t now_us = MonotonicUs();
  for (const wire::TooBig& told : ears_.at(ifindex)->Drain()) {
    if (!heeded_.Take(kHeeded, now_us)) continue;
    link_.SendToAll(TooBigCommand{told});
  }
}

}  // namespace lwt
