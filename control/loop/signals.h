// SIGTERM and SIGINT as a descriptor.
//
// Blocks the two in the calling thread, so it has to be made before any other
// thread; real-time signals stay as they are. SIGPIPE and SIGIO are ignored
// from then on.
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

  int fd() const { return fd_; }
  // The next signal that arrived, 0 when none did.
  int Read();

 private:
  explicit Signals(int fd) : fd_(fd) {}

  const int fd_;
};

}  // namespace lwt::loop
