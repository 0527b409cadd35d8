#include "control/host/instance/switch_off.h"

#include "control/host/guard/offload.h"

namespace lwt::host {

absl::StatusOr<std::vector<std::string>> SwitchOff(
    const std::string& interface, int ifindex,
    std::span<const std::string_view> names, Journal& journal) {
  std::vector<std::string> switched;
  for (const std::string_view name : names) {
    const auto feature = ReadFeature(interface, name);
    if (!feature.ok()) return feature.status();
    if (!feature->has_value() || !(*feature)->active) continue;
    if (!(*feature)->changeable) continue;
    const HostChange change{.kind = HostChange::Kind::kFeature,
                            .ifindex = ifindex,
                            .interface = interface,
                            .feature = std::string(name),
                            .was_on = (*feature)->requested};
    if (auto status = journal.Record(change); !status.ok()) return status;
    if (auto status = SetFeature(interface, name, false); !status.ok()) {
      journal.Forget(change).IgnoreError();
      return status;
    }
    switched.emplace_back(name);
  }
  return switched;
}

}  // namespace lwt::host
