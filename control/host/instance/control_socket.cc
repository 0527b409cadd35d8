#include "control/host/instance/control_socket.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

namespace lwt::host {
namespace {

// Another one's exit may remove the file between our opening and locking it.
constexpr int kTurnAttempts = 64;

std::string TurnFile(const std::string& run_root) {
  return run_root + "/.starting";
}

bool StillNamed(int fd, const std::string& path) {
  struct stat held;
  struct stat named;
  return fstat(fd, &held) == 0 && stat(path.c_str(), &named) == 0 &&
         held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

std::optional<sockaddr_un> SocketAddress(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return std::nullopt;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// A socket, or an error that names `path`.
absl::StatusOr<ScopedFd> MakeSocket(const std::string& path, SocketKind kind) {
  ScopedFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() >= 0) return fd;
  return absl::ErrnoToStatus(
      errno, absl::StrCat("cannot make the ", kind.name, " ", path));
}

absl::Status InUse(int fd, const std::string& path, SocketKind kind) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  const bool known =
      getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
      peer.pid > 0;
  return absl::AlreadyExistsError(
      absl::StrCat(known ? absl::StrCat("process ", peer.pid, " listens")
                         : "another process listens",
                   " at the ", kind.name, " ", path));
}

absl::Status Bind(int fd, const sockaddr_un& address, const std::string& path,
                  SocketKind kind) {
  // The mode is right from the first moment on.
  const mode_t mask = umask(0777 & ~kind.mode);
  const int bound =
      bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  int error = errno;
  umask(mask);
  if (bound == 0) {
    if (listen(fd, ControlSocket::kBacklog) == 0) return absl::OkStatus();
    error = errno;
    unlink(path.c_str());
  }
  return absl::ErrnoToStatus(
      error, absl::StrCat("cannot listen at the ", kind.name, " ", path));
}

}  // namespace

absl::StatusOr<StartTurn> StartTurn::Take(const std::string& run_root,
                                          bool keep_folder) {
  const std::string path = TurnFile(run_root);
  for (int attempt = 0; attempt < kTurnAttempts; ++attempt) {
    ScopedFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (fd.get() < 0) {
      return absl::ErrnoToStatus(errno, "cannot open " + path);
    }
    while (flock(fd.get(), LOCK_EX) != 0) {
      if (errno == EINTR) continue;
      return absl::ErrnoToStatus(errno, "cannot lock " + path);
    }
    if (StillNamed(fd.get(), path)) {
      return StartTurn(std::move(fd), run_root, keep_folder);
    }
  }
  return absl::AbortedError(path + " is made and removed all the time");
}

StartTurn::~StartTurn() {
  if (fd_.get() < 0) return;
  unlink(TurnFile(run_root_).c_str());
  if (!keep_folder_) rmdir(run_root_.c_str());
}

absl::StatusOr<ControlSocket> ControlSocket::Listen(const std::string& path,
                                                    SocketKind kind) {
  const std::optional<sockaddr_un> address = SocketAddress(path);
  if (!address) {
    return absl::InvalidArgumentError(
        absl::StrCat("the path of the ", kind.name, " is longer than ",
                     sizeof(address->sun_path) - 1, " bytes: ", path));
  }
  absl::Status status = RemoveDeadSocket(path, kind);
  if (!status.ok()) return status;
  absl::StatusOr<ScopedFd> fd = MakeSocket(path, kind);
  if (!fd.ok()) return fd.status();
  status = Bind(fd->get(), *address, path, kind);
  if (!status.ok()) return status;
  return ControlSocket(*std::move(fd), path);
}

ControlSocket::ControlSocket(ScopedFd fd, std::string path)
    : fd_(std::move(fd)), path_(std::move(path)) {
  struct stat status;
  if (lstat(path_.c_str(), &status) != 0) return;
  device_ = status.st_dev;
  inode_ = status.st_ino;
}

ControlSocket::~ControlSocket() {
  struct stat status;
  if (fd_.get() >= 0 && lstat(path_.c_str(), &status) == 0 &&
      status.st_dev == device_ && status.st_ino == inode_) {
    unlink(path_.c_str());
  }
}

absl::Status RemoveDeadSocket(const std::string& path, SocketKind kind) {
  const std::optional<sockaddr_un> address = SocketAddress(path);
  struct stat status;
  if (!address || lstat(path.c_str(), &status) != 0 ||
      !S_ISSOCK(status.st_mode)) {
    return absl::OkStatus();
  }
  const absl::StatusOr<ScopedFd> fd = MakeSocket(path, kind);
  if (!fd.ok()) return fd.status();
  if (connect(fd->get(), reinterpret_cast<const sockaddr*>(&*address),
              sizeof(*address)) != 0) {
    if (errno == ENOENT) return absl::OkStatus();
    if (errno == ECONNREFUSED) {
      if (unlink(path.c_str()) == 0) return absl::OkStatus();
      return absl::ErrnoToStatus(errno, "cannot remove " + path);
    }
  }
  return InUse(fd->get(), path, kind);
}

}  // namespace lwt::host
