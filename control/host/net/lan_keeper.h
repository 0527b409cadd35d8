// Keeps what workers know of the LAN: the kernel is the master of addresses and
// neighbours, this class reads them of one interface and has the kernel resolve
// and confirm those that only the gateway uses.
//
// Owned by the control thread, which feeds it time and changes. A change of the
// interface costs two netlink dumps of it.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "control/host/net/netlink.h"
#include "control/host/net/netlink_types.h"
#include "dataplane/route/lan_table.h"
#include "drivers/ports/lan_filter.h"

namespace lwt::host {

class LanKeeper {
 public:
  static constexpr uint64_t kRefreshPeriodUs = 20'000'000;

  // `netlink` outlives the keeper. `routed` is what leads to peers: a network
  // of the interface that overlaps it is left out.
  LanKeeper(Netlink& netlink, const Link& link, RoutedSet routed);

  // Reads the kernel again. The table when it differs from the last one, else
  // null.
  absl::StatusOr<std::shared_ptr<const LanTable>> Read();
  // Other networks lead to peers from the next Read on.
  void SetRouted(RoutedSet routed) { routed_ = std::move(routed); }
  // Networks of the interface that would overlap these.
  absl::StatusOr<std::vector<std::string>> ConflictsWith(
      const RoutedSet& routed) const;
  // The same when the changes concern the interface.
  absl::StatusOr<std::shared_ptr<const LanTable>> OnHostChanges(
      const HostChanges& changes);
  // Has the kernel resolve an address that workers have packets for.
  void Resolve(const IpAddress& address);
  // Every kRefreshPeriodUs: has neighbours in use confirmed.
  void OnTimer(uint64_t now_us);
  uint64_t next_deadline_us() const { return refresh_at_us_; }

  const Link& link() const { return link_; }
  // Networks of the interface that are left out, each with what it overlaps.
  const std::vector<std::string>& conflicts() const { return conflicts_; }
  // The last table; null before the first Read.
  const LanTable* table() const { return table_.get(); }
  std::shared_ptr<const LanTable> shared_table() const { return table_; }

 private:
  absl::StatusOr<LanTable::Spec> ReadSpec();
  bool Concerns(const HostChanges& changes) const;

  Netlink& netlink_;
  Link link_;
  RoutedSet routed_;
  std::shared_ptr<const LanTable> table_;
  std::vector<std::string> conflicts_;
  std::vector<IpAddress> used_;  // by marks of tables before
  uint64_t refresh_at_us_ = 0;
};

}  // namespace lwt::host
