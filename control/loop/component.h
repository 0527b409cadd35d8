// What a gateway is put together of. The gateway holds its components in the
// order in which they were brought up, gives each its turn, and knows the role
// of none.
//
// What a component has no use for it leaves as it is. Control thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace lwt::api {
struct Request;
}  // namespace lwt::api
namespace lwt::config {
struct Config;
}  // namespace lwt::config
namespace lwt::host {
struct HostChanges;
}  // namespace lwt::host
namespace lwt::telemetry {
struct Status;
}  // namespace lwt::telemetry

namespace lwt::loop {

class Component {
 public:
  static constexpr uint64_t kNever = UINT64_MAX;

  virtual ~Component() = default;

  // When OnTimer is wanted next, in µs of the workers' clock. Asked at every
  // turn, so it costs the same however many peers there are.
  virtual uint64_t NextDeadline() const { return kNever; }
  // Called at every turn, so it costs next to nothing before the deadline.
  virtual void OnTimer(uint64_t now_us) {}
  // Links, addresses, routes or neighbours of the host changed.
  virtual void OnHostChanges(const host::HostChanges& changes,
                             uint64_t now_us) {}
  // The host was suspended: peers may have given up on us meanwhile.
  virtual void OnResumed(uint64_t now_us) {}
  // Adds its part to what the operator is shown.
  virtual void Report(telemetry::Status& status, uint64_t now_us) const {}
  // Settings were read again and agree with each other: takes its part of what
  // is live, and keeps for the next connection what that is to use. What waits
  // for a restart is as before. Check comes first, of all components, and
  // changes nothing; an error of one has all stay as they are. One of Apply
  // tells what the host refuses.
  virtual absl::Status Check(const config::Config& config) const {
    return absl::OkStatus();
  }
  virtual absl::Status Apply(const config::Config& config, uint64_t now_us) {
    return absl::OkStatus();
  }
  // The whole response to an operator's request that is this component's.
  virtual std::optional<std::string> Answer(const api::Request& request,
                                            uint64_t now_us) {
    return std::nullopt;
  }
  // The gateway stops: tells peers so, and begins nothing any more. How many
  // flows will be down once they have answered.
  virtual size_t Close(std::string_view reason, uint64_t now_us) { return 0; }
};

}  // namespace lwt::loop
