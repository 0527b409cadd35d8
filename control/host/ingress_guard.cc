#include "control/host/ingress_guard.h"

#include <absl/strings/str_cat.h>
#include <net/if.h>
#include <nftables/libnftables.h>
#include <unistd.h>

#include <algorithm>

namespace lwt::host {
namespace {

// Before every chain of others, which then never see our segments either.
constexpr int kPriority = -500;
// Processes of two PID namespaces may have one number.
constexpr int kTableNames = 8;

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
  // The name is quoted below; nft has no escape for a quote.
  if (device.empty() || device.find('"') != std::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("nft cannot name the interface ", std::string(device)));
  }
  // Newer kernels take a name that no interface has, and guard nothing.
  if (if_nametoindex(std::string(device).c_str()) == 0) {
    return absl::NotFoundError(
        absl::StrCat("no network interface is named ", std::string(device)));
  }
  nft_ctx* context = nft_ctx_new(NFT_CTX_DEFAULT);
  if (context == nullptr) {
    return absl::ResourceExhaustedError("cannot make an nftables context");
  }
  std::unique_ptr<IngressGuard> guard(new IngressGuard(context));
  nft_ctx_buffer_error(context);
  nft_ctx_buffer_output(context);
  if (auto status = guard->AddTable(device); !status.ok()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "cannot guard TCP ports on ", std::string(device),
        " by nftables: ", std::string(status.message()),
        "; needed are CAP_NET_ADMIN and a kernel with nf_tables_netdev, Linux "
        "5.12 or newer (`modprobe nf_tables`)"));
  }
  return guard;
}

IngressGuard::~IngressGuard() {
  // The kernel removes the table when the context's socket closes; deleting it
  // here has it gone before this returns.
  if (!table_.empty()) {
    Run(absl::StrCat("delete table netdev ", table_, "\n")).IgnoreError();
  }
  nft_ctx_free(context_);
}

absl::Status IngressGuard::AddTable(std::string_view device) {
  absl::Status status;
  for (int attempt = 0; attempt < kTableNames; ++attempt) {
    std::string name = absl::StrCat("lwt_", getpid());
    if (attempt > 0) absl::StrAppend(&name, "_", attempt);
    const std::string of = absl::StrCat(" netdev ", name, " ");
    status = Run(absl::StrCat(
        "create table", of, "{ flags owner; }\n",                      //
        "add set", of, "local4 { type ipv4_addr . inet_service; }\n",  //
        "add set", of, "local6 { type ipv6_addr . inet_service; }\n",  //
        "add chain", of, "ingress { type filter hook ingress device \"",
        std::string(device), "\" priority ", kPriority, "; policy accept; }\n",
        "add rule", of, "ingress ip daddr . tcp dport @local4 drop\n",
        "add rule", of, "ingress ip6 daddr . tcp dport @local6 drop\n"));
    if (status.ok()) {
      table_ = name;
      return status;
    }
    // A table of that name that another owns makes this EPERM, one without
    // owner EEXIST.
    const absl::string_view reason = status.message();
    if (reason.find("Operation not permitted") == absl::string_view::npos &&
        reason.find("File exists") == absl::string_view::npos) {
      break;
    }
  }
  return status;
}

absl::Status IngressGuard::SetEndpoints(std::span<const Endpoint> endpoints) {
  const absl::Status status = Run(EndpointCommands(table_, endpoints));
  if (status.ok()) return status;
  return absl::InternalError(absl::StrCat("changing the guarded TCP ports: ",
                                          std::string(status.message())));
}

absl::Status IngressGuard::Run(const std::string& commands) {
  if (nft_run_cmd_from_buffer(context_, commands.c_str()) == 0) {
    return absl::OkStatus();
  }
  const char* error = nft_ctx_get_error_buffer(context_);
  std::string text(error == nullptr ? "" : error);
  // The first line is the reason, the rest shows the command.
  text.resize(std::min(text.find('\n'), text.size()));
  return absl::InternalError(text.empty() ? "nft gives no reason" : text);
}

}  // namespace lwt::host
