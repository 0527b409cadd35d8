// Host names to endpoints, off the control thread.
//
// One thread of its own, started with the first name that needs a look-up; it
// asks one name at a time. Where that hangs and its answer is wanted no more,
// the next name gets a thread beside it, up to kMaxThreads. Destroying the
// resolver never waits: a look-up that hangs goes on alone and its answer is
// thrown away. All functions are for the control thread: poll event_fd() for
// reading, then Drain().
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/ip_endpoint.h"

namespace lwt::host {

class Resolver {
 public:
  struct Result {
    uint64_t id = 0;
    std::string host;
    // At least one, in the order of preference (RFC 6724), each once.
    absl::StatusOr<std::vector<Endpoint>> endpoints;
  };
  // Blocks until it has the answer; called on the resolver's thread.
  using Lookup = std::function<absl::StatusOr<std::vector<IpAddress>>(
      const std::string& host)>;

  static constexpr size_t kMaxPending = 64;
  static constexpr size_t kMaxThreads = 8;

  // Default look-up: getaddrinfo(3).
  static absl::StatusOr<std::unique_ptr<Resolver>> Create();
  static absl::StatusOr<std::unique_ptr<Resolver>> Create(Lookup lookup);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // Returns the id of the result to come. A literal address is ready at once,
  // with event_fd() readable. ResourceExhausted beyond kMaxPending.
  absl::StatusOr<uint64_t> Start(std::string_view host, uint16_t port);
  // The result of `id` will never come out of Drain.
  void Cancel(uint64_t id);

  int event_fd() const;
  std::vector<Result> Drain();

 private:
  struct State;
  explicit Resolver(std::shared_ptr<State> state);
  void EnsureThread();  // the mutex is held

  const std::shared_ptr<State> state_;
  uint64_t next_id_ = 1;
};

// getaddrinfo(3) for a stream socket: blocks.
absl::StatusOr<std::vector<IpAddress>> SystemLookup(const std::string& host);

}  // namespace lwt::host
