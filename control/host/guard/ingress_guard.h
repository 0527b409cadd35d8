// Keeps the kernel from answering segments of our outer flows with RST: an
// owner table (owner_table.h) on the uplink drops TCP to our local endpoints,
// so the kernel's stack and conntrack never see it.
//
// Owned by the control thread. Must be open, with its endpoints set, before
// the first SYN is sent or expected.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "control/host/guard/owner_table.h"
#include "drivers/ip_endpoint.h"

namespace lwt::host {

class IngressGuard {
 public:
  // At first no endpoint is guarded. The device may have a link header or none.
  static absl::StatusOr<std::unique_ptr<IngressGuard>> Open(
      std::string_view device);

  // Replaces the guarded endpoints in one transaction: those in the old and the
  // new set are guarded all the time. Addresses are never unspecified.
  absl::Status SetEndpoints(std::span<const Endpoint> endpoints);

  // "lwt_<pid>", as `nft list tables` shows it.
  const std::string& table() const { return table_->name(); }

 private:
  explicit IngressGuard(std::unique_ptr<OwnerTable> table)
      : table_(std::move(table)) {}

  const std::unique_ptr<OwnerTable> table_;
};

// The nft commands that make `table` guard exactly `endpoints`.
std::string EndpointCommands(const std::string& table,
                             std::span<const Endpoint> endpoints);

}  // namespace lwt::host
