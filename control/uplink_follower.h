// Keeps the uplink where the host's routing leads: when the way to the hub, or
// of a hub the default route, goes by another interface, or the interface was
// deleted and made again, or renamed, the workers move to what is there now.
// Where nothing is left to choose it waits, and says so.
//
// Owned by OuterSide. Control thread. A look costs a few questions to the
// kernel, ten a second at most.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "control/base/log.h"
#include "control/config/config.h"
#include "control/host/net/netlink_types.h"
#include "control/host/net/uplink_choice.h"
#include "control/platform/platform.h"

namespace lwt {

class UplinkFollower {
 public:
  static constexpr uint64_t kLookEveryUs = 100'000;
  // After an interface that was chosen could not be taken.
  static constexpr uint64_t kRetryUs = 1'000'000;
  // How often it asks whether the workers have left the port before.
  static constexpr uint64_t kSettleUs = 2'000;
  // Guards of interfaces that a client left stay this long: as long as what its
  // peer sends may still come there.
  static constexpr uint64_t kGuardUs = 30'000'000;

  // Remote addresses of flows that stand or are being opened, the most
  // important first.
  using Destinations = std::function<std::vector<IpAddress>()>;

  // All outlive it.
  UplinkFollower(const config::Config& config, Platform& platform,
                 Destinations destinations, const loop::Log& log)
      : config_(config),
        platform_(platform),
        destinations_(std::move(destinations)),
        log_(log),
        problem_(platform.lack()) {}

  void HostChanged(const host::HostChanges& changes, uint64_t now_us);
  // True: the uplink is another one from now on, or the same one opened again.
  bool OnTimer(uint64_t now_us);
  uint64_t next_deadline_us() const;
  // A flow to `remote` is about to begin. True as OnTimer; the uplink stays
  // where other flows go by it.
  bool LeadTo(const IpAddress& remote, uint64_t now_us);
  // Why there is no uplink; empty while there is one.
  const std::string& problem() const { return problem_; }

 private:
  // Nullopt: it stays as it is.
  using Choice = absl::StatusOr<std::optional<host::UplinkChoice>>;

  Choice Choose();
  Choice ChooseForFlows(const std::vector<IpAddress>& remotes);
  bool Take(const Choice& choice, uint64_t now_us);
  void Lack(const absl::Status& why);
  void Settle(uint64_t now_us);

  const config::Config& config_;
  Platform& platform_;
  const Destinations destinations_;
  const loop::Log& log_;
  uint64_t look_at_us_ = UINT64_MAX;
  uint64_t looked_us_ = 0;
  uint64_t settle_at_us_ = UINT64_MAX;
  uint64_t drop_guards_at_us_ = UINT64_MAX;
  std::string problem_;
  std::string refusal_;  // of the last interface that could not be taken
};

}  // namespace lwt
