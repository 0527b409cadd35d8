// Signals as a descriptor: those that end a gateway, with a goodbye to its
// peers, and those that would end it without one.
//
// Blocks them in the calling thread, so it has to be made before any other
// thread; real-time signals stay as they are. SIGPIPE, SIGIO and SIGXFSZ are
// ignored from then on: writes say what is wrong.
#pragma once

#include <memory>

#include "absl/status/statusor.h"

namespace lwt::loop {

class Signals {
 public:
  static absl::StatusOr<std::unique_ptr<Signals>> Create();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  ~Signals();

  // SIGTERM, SIGINT, SIGQUIT.
  static bool Ends(int signal);
  // SIGHUP. The others that Read returns, SIGUSR1 and SIGUSR2, ask for
  // something that there is not.
  static bool Reloads(int signal);

  int fd() const { return fd_; }
  // The next signal that arrived, 0 when none did.
  int Read();

 private:
  explicit Signals(int fd) : fd_(fd) {}

  const int fd_;
};

}  // namespace lwt::loop
