// Keeps the kernel from answering segments of our outer flows with RST.
//
// One nftables table of family netdev whose ingress chain on the uplink drops
// TCP to our local endpoints. Packet sockets see frames before that hook, so
// our port still gets them, while the kernel's stack and conntrack never do.
// The table has the owner flag: another program's `flush ruleset` leaves it,
// and the kernel removes it when this process dies, however it dies.
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

#include "drivers/ip_endpoint.h"

struct nft_ctx;

namespace lwt::host {

class IngressGuard {
 public:
  // At first no endpoint is guarded. The device may have a link header or none.
  static absl::StatusOr<std::unique_ptr<IngressGuard>> Open(
      std::string_view device);
  ~IngressGuard();
  IngressGuard(const IngressGuard&) = delete;
  IngressGuard& operator=(const IngressGuard&) = delete;

  // Replaces the guarded endpoints in one transaction: those in the old and the
  // new set are guarded all the time. Addresses are never unspecified.
  absl::Status SetEndpoints(std::span<const Endpoint> endpoints);

  // "lwt_<pid>", as `nft list tables` shows it.
  const std::string& table() const { return table_; }

 private:
  explicit IngressGuard(nft_ctx* context) : context_(context) {}

  absl::Status AddTable(std::string_view device);
  absl::Status Run(const std::string& commands);

  nft_ctx* const context_;
  std::string table_;
};

// The nft commands that make `table` guard exactly `endpoints`.
std::string EndpointCommands(const std::string& table,
                             std::span<const Endpoint> endpoints);

}  // namespace lwt::host
