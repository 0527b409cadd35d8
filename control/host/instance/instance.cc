#include "control/host/instance/instance.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "control/base/files.h"

namespace lwt::host {
namespace {

// Another instance's exit may remove a directory or a lock file between our
// making it and using it.
constexpr int kRaceAttempts = 16;

std::string SafeName(std::string_view text) {
  std::string name(text);
  for (char& c : name) {
    const bool safe = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                      (c >= '0' && c <= '9') || c == '.' || c == '-';
    if (!safe) c = '_';
  }
  return name;
}

std::string AbsolutePath(const std::string& path) {
  if (!path.empty() && path.front() == '/') return path;
  char* directory = getcwd(nullptr, 0);
  const std::string absolute =
      absl::StrCat(directory == nullptr ? "" : directory, "/", path);
  free(directory);
  return absolute;
}

// FNV-1a: names must differ, not resist anybody.
uint32_t Digest(std::string_view text) {
  uint32_t digest = 2166136261u;
  for (const char c : text) {
    digest = (digest ^ static_cast<uint8_t>(c)) * 16777619u;
  }
  return digest;
}

// Whether `fd` is still the file that `path` names.
bool IsFileAt(int fd, const std::string& path) {
  struct stat held;
  struct stat named;
  return fstat(fd, &held) == 0 && stat(path.c_str(), &named) == 0 &&
         held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

absl::Status HeldError(int fd, const std::string& path) {
  char text[16] = "";
  const ssize_t size = pread(fd, text, sizeof(text) - 1, 0);
  const long pid = size > 0 ? strtol(text, nullptr, 10) : 0;
  return absl::AlreadyExistsError(
      pid > 0 ? absl::StrCat("process ", pid, " holds ", path)
              : absl::StrCat("another process holds ", path));
}

absl::StatusOr<PidLock> MakeAndLock(const std::string& directory,
                                    const std::string& file) {
  absl::Status status;
  for (int attempt = 0; attempt < kRaceAttempts; ++attempt) {
    status = MakeDirectory(directory);
    if (!status.ok()) continue;
    auto lock = PidLock::Acquire(file);
    if (lock.ok() || absl::IsAlreadyExists(lock.status())) return lock;
    status = lock.status();
  }
  return status;
}

std::string LinkTo(const std::string& run_dir) {
  return run_dir + "/control.sock";
}

absl::StatusOr<StartTurn> TakeTurn(const InstancePaths& paths) {
  const std::string folder =
      paths.run_dir_is_ours ? paths.run_dir.substr(0, paths.run_dir.rfind('/'))
                            : paths.run_dir;
  for (int attempt = 0;; ++attempt) {
    absl::Status made = MakeDirectory(paths.run_dir);
    if (!made.ok()) return made;
    absl::StatusOr<StartTurn> turn =
        StartTurn::Take(folder, !paths.run_dir_is_ours);
    // Another one's exit may have removed the directory.
    if (!absl::IsNotFound(turn.status()) || attempt == kRaceAttempts) {
      return turn;
    }
  }
}

absl::Status RunsAlready(const InstancePaths& paths,
                         const absl::Status& status) {
  if (!absl::IsAlreadyExists(status)) return status;
  return absl::AlreadyExistsError(absl::StrCat(
      "gateway ", paths.name, " runs already: ", std::string(status.message()),
      "; a second one needs another tunnel address, or its own -state-dir and "
      "-control-socket"));
}

}  // namespace

InstancePaths PathsOf(const InstanceSpec& spec) {
  const std::string plain = SafeName(absl::StrCat(
      spec.mode, "-",
      spec.hub.empty() ? ToString(spec.tunnel_address) : spec.hub));
  InstancePaths paths;
  paths.name = plain;
  if (!spec.control_socket.empty()) {
    paths.control_socket = AbsolutePath(spec.control_socket);
    absl::StrAppend(&paths.name,
                    absl::StrFormat("-%08x", Digest(paths.control_socket)));
  }
  paths.state_dir = spec.state_dir.empty()
                        ? absl::StrCat(spec.state_root, "/", plain)
                        : AbsolutePath(spec.state_dir);
  paths.run_dir_is_ours = spec.run_dir.empty();
  paths.run_dir = paths.run_dir_is_ours
                      ? absl::StrCat(spec.run_root, "/", paths.name)
                      : AbsolutePath(spec.run_dir);
  paths.journal = paths.run_dir + "/journal";
  paths.pid_file = paths.run_dir + "/pid";
  if (spec.control_socket.empty()) {
    paths.control_socket = LinkTo(paths.run_dir);
  }
  return paths;
}

absl::StatusOr<PidLock> PidLock::Acquire(const std::string& path) {
  for (int attempt = 0; attempt < kRaceAttempts; ++attempt) {
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return absl::ErrnoToStatus(errno, "cannot open " + path);
    PidLock lock(fd, path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) return HeldError(fd, path);
      return absl::ErrnoToStatus(errno, "cannot lock " + path);
    }
    // The last holder removes the file before it frees the lock.
    if (!IsFileAt(fd, path)) continue;
    const std::string pid = absl::StrCat(getpid(), "\n");
    if (ftruncate(fd, 0) != 0 || pwrite(fd, pid.data(), pid.size(), 0) !=
                                     static_cast<ssize_t>(pid.size())) {
      return absl::ErrnoToStatus(errno, "cannot write " + path);
    }
    return lock;
  }
  return absl::AbortedError(path + " is made and removed all the time");
}

PidLock::PidLock(PidLock&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}

PidLock& PidLock::operator=(PidLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  return *this;
}

PidLock::~PidLock() {
  if (fd_ >= 0) close(fd_);
}

void PidLock::Remove() {
  if (fd_ < 0) return;
  unlink(path_.c_str());
  close(std::exchange(fd_, -1));
}

absl::StatusOr<Instance> Instance::Claim(const InstanceSpec& spec) {
  InstancePaths paths = PathsOf(spec);
  const absl::StatusOr<StartTurn> turn = TakeTurn(paths);
  if (!turn.ok()) return turn.status();
  auto run_lock = MakeAndLock(paths.run_dir, paths.pid_file);
  if (!run_lock.ok()) return RunsAlready(paths, run_lock.status());
  Instance instance(std::move(paths), *std::move(run_lock));
  const absl::Status status = instance.TakeRest();
  if (!status.ok()) return status;
  return instance;
}

absl::Status Instance::TakeRest() {
  auto state_lock = MakeAndLock(paths_.state_dir, paths_.state_dir + "/lock");
  if (!state_lock.ok()) return RunsAlready(paths_, state_lock.status());
  state_lock_.emplace(*std::move(state_lock));
  RemoveScratch(paths_.run_dir);
  // The link comes first: a socket elsewhere is found by it after a kill.
  const std::string link = LinkTo(paths_.run_dir);
  if (link != paths_.control_socket) {
    unlink(link.c_str());
    if (symlink(paths_.control_socket.c_str(), link.c_str()) != 0) {
      return absl::ErrnoToStatus(errno, "cannot make " + link);
    }
  }
  auto socket = ControlSocket::Listen(paths_.control_socket);
  if (!socket.ok()) {
    return absl::IsAlreadyExists(socket.status())
               ? absl::AlreadyExistsError(absl::StrCat(
                     std::string(socket.status().message()),
                     "; a second gateway needs a -control-socket of its own"))
               : socket.status();
  }
  socket_.emplace(*std::move(socket));
  return absl::OkStatus();
}

Instance::~Instance() {
  if (!run_lock_.held()) return;
  if (state_lock_) state_lock_->Remove();
  socket_.reset();
  RemoveControlSocket(paths_.run_dir);
  run_lock_.Remove();
  if (paths_.run_dir_is_ours) RemoveRunDirectory(paths_.run_dir);
}

void RemoveControlSocket(const std::string& run_dir) {
  const std::string path = LinkTo(run_dir);
  char target[4096];
  const ssize_t size = readlink(path.c_str(), target, sizeof(target) - 1);
  // One that another gateway listens on by now stays.
  if (size > 0) {
    static_cast<void>(RemoveDeadSocket({target, static_cast<size_t>(size)}));
    unlink(path.c_str());
  } else {
    static_cast<void>(RemoveDeadSocket(path));
  }
}

void RemoveScratch(const std::string& run_dir) {
  std::error_code ignored;
  std::filesystem::remove_all(run_dir + "/dpdk", ignored);
}

void RemoveRunDirectory(const std::string& run_dir) {
  if (rmdir(run_dir.c_str()) != 0) return;
  rmdir(run_dir.substr(0, run_dir.rfind('/')).c_str());
}

}  // namespace lwt::host
