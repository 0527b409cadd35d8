#include "control/base/log_sink.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "absl/strings/str_cat.h"

namespace lwt::loop {
namespace {

// What the descriptor has open, opened by ourselves; -1 where we may not.
int OpenOnceMore(int fd) {
  const std::string path = absl::StrCat("/proc/self/fd/", fd);
  return open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

bool HasReader(int fd, mode_t mode) { return S_ISFIFO(mode) || isatty(fd); }

}  // namespace

LogSink::LogSink(int fd) : fd_(fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0) return;
  if (S_ISSOCK(status.st_mode)) {
    way_ = Way::kSend;
  } else if (HasReader(fd, status.st_mode)) {
    own_.emplace(OpenOnceMore(fd));
    if (own_->get() < 0) way_ = Way::kPolled;
  }
}

ssize_t LogSink::PutSome(std::string_view text) const {
  switch (way_) {
    case Way::kSend:
      return send(fd_, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    case Way::kPolled: {
      // Writable means that this much fits (pipe(7)).
      pollfd room{.fd = fd_, .events = POLLOUT, .revents = 0};
      if (poll(&room, 1, 0) != 1) return 0;
      return write(fd_, text.data(), std::min<size_t>(text.size(), PIPE_BUF));
    }
    case Way::kWrite:
      break;
  }
  return write(own_ ? own_->get() : fd_, text.data(), text.size());
}

bool LogSink::Put(std::string_view text) {
  bool begun = false;
  while (!text.empty()) {
    const ssize_t size = PutSome(text);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) {
      if (begun) torn_ = true;
      return false;
    }
    begun = true;
    text.remove_prefix(static_cast<size_t>(size));
  }
  return true;
}

void LogSink::Write(std::string_view line, const LossLine& loss_line) {
  if (torn_.exchange(false) && !Put("\n")) {
    torn_ = true;
    ++lost_;
    return;
  }
  const uint64_t lost = lost_.exchange(0);
  if (lost > 0 && !Put(loss_line(lost))) {
    lost_ += lost + 1;
    return;
  }
  if (!Put(line)) ++lost_;
}

}  // namespace lwt::loop
