#include "control/host/instance.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "control/host/files.h"

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

bool IsSocket(const std::string& path) {
  struct stat status;
  return lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode);
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
  const std::string plain =
      SafeName(absl::StrCat(spec.mode, "-", ToString(spec.tunnel_address)));
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
  paths.run_dir = absl::StrCat(spec.run_root, "/", paths.name);
  paths.journal = paths.run_dir + "/journal";
  paths.pid_file = paths.run_dir + "/pid";
  if (spec.control_socket.empty()) {
    paths.control_socket = paths.run_dir + "/control.sock";
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
  auto run_lock = MakeAndLock(paths.run_dir, paths.pid_file);
  if (!run_lock.ok()) return RunsAlready(paths, run_lock.status());
  auto state_lock = MakeAndLock(paths.state_dir, paths.state_dir + "/lock");
  if (!state_lock.ok()) {
    run_lock->Remove();
    RemoveRunDirectory(paths.run_dir);
    return RunsAlready(paths, state_lock.status());
  }
  Instance instance(std::move(paths), *std::move(state_lock),
                    *std::move(run_lock));
  const std::string& socket = instance.paths().control_socket;
  // A dead predecessor's: we hold its lock. Nothing but a socket is removed.
  if (IsSocket(socket)) unlink(socket.c_str());
  const std::string link = instance.paths().run_dir + "/control.sock";
  if (link == socket) return instance;
  unlink(link.c_str());
  if (symlink(socket.c_str(), link.c_str()) != 0) {
    return absl::ErrnoToStatus(errno, "cannot make " + link);
  }
  return instance;
}

Instance::~Instance() {
  if (!run_lock_.held()) return;
  state_lock_.Remove();
  RemoveControlSocket(paths_.run_dir);
  run_lock_.Remove();
  RemoveRunDirectory(paths_.run_dir);
}

void RemoveControlSocket(const std::string& run_dir) {
  const std::string path = run_dir + "/control.sock";
  char target[4096];
  const ssize_t size = readlink(path.c_str(), target, sizeof(target) - 1);
  if (size > 0) {
    const std::string socket(target, static_cast<size_t>(size));
    if (IsSocket(socket)) unlink(socket.c_str());
  }
  unlink(path.c_str());
}

void RemoveRunDirectory(const std::string& run_dir) {
  if (rmdir(run_dir.c_str()) != 0) return;
  rmdir(run_dir.substr(0, run_dir.rfind('/')).c_str());
}

}  // namespace lwt::host
