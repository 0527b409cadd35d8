// The control socket as a file: whose it is, and that it goes with its owner.
//
// A socket on which nobody listens is a dead process's and is replaced; one on
// which somebody does is never touched. It listens before anybody else may look
// at it, as gateways claim their places one after the other (StartTurn).
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <sys/types.h>

#include <string>

#include "drivers/scoped_fd.h"

namespace lwt::host {

// Held while a gateway claims its place below `run_root`, or cleans up there.
// Waits for its turn; goes with the process.
class StartTurn {
 public:
  // NotFound when `run_root` is not there (any more).
  static absl::StatusOr<StartTurn> Take(const std::string& run_root,
                                        bool keep_folder = false);
  StartTurn(StartTurn&&) noexcept = default;
  // Removes `run_root` when nothing is in it, unless it was to be kept.
  ~StartTurn();

 private:
  StartTurn(ScopedFd fd, std::string run_root, bool keep_folder)
      : fd_(std::move(fd)),
        run_root_(std::move(run_root)),
        keep_folder_(keep_folder) {}

  ScopedFd fd_;
  std::string run_root_;
  bool keep_folder_;
};

// What a socket's file is: `name` is for whoever reads an error.
struct SocketKind {
  const char* name = "control socket";
  mode_t mode = 0600;
};

class ControlSocket {
 public:
  // Of connections that wait to be accepted.
  static constexpr int kBacklog = 16;

  // Listens at `path`, with the mode of its kind, without blocking.
  // AlreadyExists, naming the process, when somebody listens there; any file
  // but a socket is left alone. The caller has the StartTurn.
  static absl::StatusOr<ControlSocket> Listen(const std::string& path,
                                              SocketKind kind = {});
  ControlSocket(ControlSocket&&) noexcept = default;
  // Removes the file, if it still is this socket's.
  ~ControlSocket();

  int fd() const { return fd_.get(); }

 private:
  ControlSocket(ScopedFd fd, std::string path);

  ScopedFd fd_;
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

// Removes a socket on which nobody listens. OK too when there is none;
// AlreadyExists, naming the process, when somebody does.
absl::Status RemoveDeadSocket(const std::string& path, SocketKind kind = {});

}  // namespace lwt::host
