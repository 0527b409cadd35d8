#include "control/host/guard/ingress_guard.h"

#include <absl/strings/str_cat.h>

namespace lwt::host {
namespace {

std::string SetCommands(const std::string& table, Family family,
                        std::span<const Endpoint> endpoints) {
  const char* set = family == Family::kIpv4 ? "local4" : "local6";
  std::string elements;
  for (const Endpoint& endpoint : endpoints) {
    if (endpoint.address.family != family) continue;
    absl::StrAppend(&elements, elements.empty() ? "" : ", ",
                    ToString(endpoint.address), " . ", endpoint.port);
  }
  std::string commands = absl::StrCat("flush set netdev ", table, " ", set);
  if (!elements.empty()) {
    absl::StrAppend(&commands, "\nadd element netdev ", table, " ", set, " { ",
                    elements, " }");
  }
  return commands;
}

}  // namespace

std::string EndpointCommands(const std::string& table,
                             std::span<const Endpoint> endpoints) {
  return absl::StrCat(SetCommands(table, Family::kIpv4, endpoints), "\n",
                      SetCommands(table, Family::kIpv6, endpoints), "\n");
}

absl::StatusOr<std::unique_ptr<IngressGuard>> IngressGuard::Open(
    std::string_view device) {
  auto table = OwnerTable::Open(device,
                                {"local4 { type ipv4_addr . inet_service; }",
                                 "local6 { type ipv6_addr . inet_service; }"},
                                {"ip daddr . tcp dport @local4 drop",
                                 "ip6 daddr . tcp dport @local6 drop"});
  if (table.ok()) {
    return std::unique_ptr<IngressGuard>(new IngressGuard(*std::move(table)));
  }
  if (table.status().code() != absl::StatusCode::kInternal) {
    return table.status();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "cannot guard TCP ports on ", std::string(device),
      " by nftables: ", std::string(table.status().message()),
      "; needed are CAP_NET_ADMIN and a kernel with nf_tables_netdev, Linux "
      "5.12 or newer (`modprobe nf_tables`)"));
}

absl::Status IngressGuard::SetEndpoints(std::span<const Endpoint> endpoints) {
  const absl::Status status =
      table_->Run(EndpointCommands(table_->name(), endpoints));
  if (status.ok()) return status;
  return absl::InternalError(absl::StrCat("changing the guarded TCP ports: ",
                                          std::string(status.message())));
}

}  // namespace lwt::host
