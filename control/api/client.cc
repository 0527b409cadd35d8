#include "control/api/client.h"

#include <errno.h>
#include <glob.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <climits>
#include <cstdint>
#include <cstring>
#include <optional>

#include "control/api/request.h"

namespace lwt::api {
namespace {

// An answer larger than this comes from no daemon of ours.
constexpr size_t kLargestAnswer = 64 << 20;

int64_t NowMs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1000000;
}

// One connection with one deadline over all of it.
class Connection {
 public:
  Connection(const std::string& path, int timeout_ms)
      : path_(path), deadline_ms_(NowMs() + timeout_ms) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() {
    if (fd_ >= 0) close(fd_);
  }

  absl::Status Open() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path_.size() >= sizeof(address.sun_path)) {
      return absl::InvalidArgumentError(path_ + " is too long for a socket");
    }
    std::memcpy(address.sun_path, path_.data(), path_.size());
    fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd_ < 0) return Failed("cannot make a socket", errno);
    while (connect(fd_, reinterpret_cast<sockaddr*>(&address),
                   sizeof(address)) != 0) {
      // EAGAIN: the daemon's queue is full (unix(7)); nothing to poll for.
      if (errno != EAGAIN && errno != EINTR) return CannotConnect(Cause(errno));
      if (NowMs() >= deadline_ms_) return TimedOut();
      constexpr int kPauseMs = 10;
      poll(nullptr, 0, kPauseMs);
    }
    return absl::OkStatus();
  }

  absl::Status Send(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t count = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count >= 0) {
        bytes.remove_prefix(static_cast<size_t>(count));
        continue;
      }
      if (errno != EAGAIN && errno != EINTR) return Failed("send", errno);
      if (!WaitFor(POLLOUT)) return TimedOut();
    }
    return absl::OkStatus();
  }

  // What there is next; nothing when the daemon has closed.
  absl::StatusOr<std::string> ReceiveSome() {
    char buffer[16384];
    while (true) {
      const ssize_t count = recv(fd_, buffer, sizeof(buffer), 0);
      if (count >= 0) return std::string(buffer, static_cast<size_t>(count));
      if (errno != EAGAIN && errno != EINTR) return Failed("receive", errno);
      if (!WaitFor(POLLIN)) return TimedOut();
    }
  }
  void WaitForEver() { deadline_ms_ = INT64_MAX; }

  // All bytes until the daemon closes.
  absl::StatusOr<std::string> Receive() {
    std::string bytes;
    char buffer[16384];
    while (bytes.size() <= kLargestAnswer) {
      ssize_t count = recv(fd_, buffer, sizeof(buffer), 0);
      if (count == 0) return bytes;
      if (count > 0) {
        bytes.append(buffer, static_cast<size_t>(count));
        continue;
      }
      if (errno != EAGAIN && errno != EINTR) return Failed("receive", errno);
      if (!WaitFor(POLLIN)) return TimedOut();
    }
    return absl::DataLossError(path_ + ": the answer does not end");
  }

 private:
  bool WaitFor(short events) {
    int64_t left = deadline_ms_ - NowMs();
    if (left <= 0) return false;
    pollfd wait{fd_, events, 0};
    int ready = poll(&wait, 1, left > INT_MAX ? -1 : static_cast<int>(left));
    return ready > 0 || (ready < 0 && errno == EINTR);
  }

  // The kernel refuses a connection to a file of another kind as it refuses
  // one to a socket that nobody listens at (unix(7)).
  int Cause(int error) const {
    struct stat file;
    const bool other = error == ECONNREFUSED && stat(path_.c_str(), &file) == 0;
    return other && !S_ISSOCK(file.st_mode) ? ENOTSOCK : error;
  }

  absl::Status Failed(const char* what, int error) const {
    return absl::UnavailableError(path_ + ": " + what + ": " + strerror(error));
  }

  absl::Status CannotConnect(int error) const {
    switch (error) {
      case ENOENT:
        return absl::NotFoundError(
            path_ +
            " does not exist: the gateway is not running, or uses "
            "another -control-socket");
      case ENOTSOCK:
        return absl::InvalidArgumentError(path_ + " is not a socket");
      case ECONNREFUSED:
        return absl::UnavailableError(
            path_ +
            ": nobody answers, the gateway is not running; start it "
            "with lightweight-tunnel");
      case EACCES:
        return absl::PermissionDeniedError(
            path_ +
            ": not permitted; run lwtctl as the gateway's user, with "
            "sudo for root");
      default:
        return Failed("cannot connect", error);
    }
  }

  absl::Status TimedOut() const {
    return absl::DeadlineExceededError(
        path_ + ": the gateway does not answer; look at its messages");
  }

  const std::string path_;
  int64_t deadline_ms_;
  int fd_ = -1;
};

}  // namespace

absl::StatusOr<std::string> Ask(const std::string& socket_path,
                                const std::string& request, int timeout_ms) {
  Connection connection(socket_path, timeout_ms);
  absl::Status status = connection.Open();
  if (status.ok()) status = connection.Send(request + "\n");
  if (!status.ok()) return status;
  absl::StatusOr<std::string> bytes = connection.Receive();
  if (!bytes.ok()) return bytes.status();
  std::optional<Response> response = ParseResponse(
      {reinterpret_cast<const uint8_t*>(bytes->data()), bytes->size()});
  if (!response) {
    return absl::DataLossError(
        socket_path +
        ": the answer is cut or not a gateway's; are lwtctl and "
        "the gateway of one version?");
  }
  if (!response->ok) return absl::FailedPreconditionError(response->text);
  return std::move(response->text);
}

absl::Status Follow(const std::string& socket_path, const std::string& request,
                    int timeout_ms,
                    const std::function<bool(std::string_view)>& take) {
  Connection connection(socket_path, timeout_ms);
  absl::Status status = connection.Open();
  if (status.ok()) status = connection.Send(request + "\n");
  if (!status.ok()) return status;
  std::string first;
  while (first.find('\n') == std::string::npos) {
    absl::StatusOr<std::string> some = connection.ReceiveSome();
    if (!some.ok()) return some.status();
    if (some->empty()) break;
    first += *some;
  }
  if (!first.starts_with(kStreamResponse)) {
    const std::optional<Response> response = ParseResponse(
        {reinterpret_cast<const uint8_t*>(first.data()), first.size()});
    if (response && !response->ok) {
      return absl::FailedPreconditionError(response->text);
    }
    return absl::DataLossError(
        socket_path +
        ": the answer is cut or not a gateway's; are lwtctl and "
        "the gateway of one version?");
  }
  connection.WaitForEver();
  std::string some = first.substr(kStreamResponse.size());
  while (take(some)) {
    absl::StatusOr<std::string> next = connection.ReceiveSome();
    if (!next.ok()) return next.status();
    if (next->empty()) {
      return absl::UnavailableError(
          socket_path +
          ": the gateway ended it: it stops, or what it told was "
          "not read for too long");
    }
    some = *std::move(next);
  }
  return absl::OkStatus();
}

std::vector<std::string> FindSockets(const std::string& run_folder) {
  std::vector<std::string> sockets;
  glob_t found{};
  if (glob((run_folder + "/*/control.sock").c_str(), 0, nullptr, &found) == 0) {
    sockets.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  }
  globfree(&found);
  return sockets;
}

bool IsDeadSocket(const std::string& socket_path) {
  // At most one turn: a full queue means that somebody listens.
  const absl::Status status = Connection(socket_path, 0).Open();
  return absl::IsNotFound(status) || absl::IsUnavailable(status);
}

}  // namespace lwt::api
