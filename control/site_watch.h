// Whether this host does its part for the networks that `routes` announces: its
// kernel has to forward, and to know where they are. It is asked and never
// changed; what is amiss is said once, with the command that helps, for as long
// as it is so.
//
// Owned by the gateway. Control thread. A look is a file for each family and a
// question to the kernel for each network, once in kEveryUs, and only where
// networks are announced.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/log.h"
#include "control/config/config.h"
#include "control/host/net/netlink.h"
#include "control/loop/component.h"

namespace lwt {

class SiteWatch final : public loop::Component {
 public:
  // The switches of the kernel tell nobody that they were set.
  static constexpr uint64_t kEveryUs = 5'000'000;
  // After a look that a change of the host's routes is a reason for.
  static constexpr uint64_t kGapUs = 1'000'000;

  // All outlive it. `switches` is /proc/sys/net, `tunnel` the number of the
  // tunnel device.
  SiteWatch(const config::Config& config, host::Netlink& netlink, int tunnel,
            const loop::Log& log, std::string switches = "/proc/sys/net")
      : config_(config),
        netlink_(netlink),
        tunnel_(tunnel),
        log_(log),
        switches_(std::move(switches)) {}

  uint64_t NextDeadline() const override { return look_at_us_; }
  void OnTimer(uint64_t now_us) override;
  void OnHostChanges(const host::HostChanges& changes,
                     uint64_t now_us) override;
  absl::Status Apply(const config::Config& config, uint64_t now_us) override;
  void Report(telemetry::Status& status, uint64_t now_us) const override;

 private:
  std::vector<std::string> Look();
  bool IsOwn(const IpPrefix& network);
  void LookAtForwarding(Family family, std::vector<std::string>& problems);
  void LookAtWay(const IpPrefix& network, std::vector<std::string>& problems);

  const config::Config& config_;
  host::Netlink& netlink_;
  const int tunnel_;
  const loop::Log& log_;
  const std::string switches_;
  uint64_t look_at_us_ = 0;
  uint64_t looked_us_ = 0;
  std::vector<std::string> problems_;  // at the last look
};

}  // namespace lwt
