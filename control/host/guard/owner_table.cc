#include "control/host/guard/owner_table.h"

#include <absl/strings/str_cat.h>
#include <net/if.h>
#include <nftables/libnftables.h>
#include <unistd.h>

#include <algorithm>

namespace lwt::host {
namespace {

// Before every chain of others, which then never see our segments either.
constexpr int kPriority = -500;
// A process has a table for each interface, and for each that it has left a
// moment ago, and processes of two PID namespaces may have one number.
constexpr int kTableNames = 40;

}  // namespace

absl::StatusOr<std::unique_ptr<OwnerTable>> OwnerTable::Open(
    std::string_view device, std::initializer_list<std::string_view> sets,
    std::initializer_list<std::string_view> rules) {
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
  std::unique_ptr<OwnerTable> table(new OwnerTable(context));
  nft_ctx_buffer_error(context);
  nft_ctx_buffer_output(context);
  const absl::Status added = table->Add(device, sets, rules);
  if (!added.ok()) return added;
  return table;
}

OwnerTable::~OwnerTable() {
  // The kernel removes the table when the context's socket closes; deleting it
  // here has it gone before this returns.
  if (!name_.empty()) {
    Run(absl::StrCat("delete table netdev ", name_, "\n")).IgnoreError();
  }
  nft_ctx_free(context_);
}

absl::Status OwnerTable::Add(std::string_view device,
                             std::initializer_list<std::string_view> sets,
                             std::initializer_list<std::string_view> rules) {
  absl::Status status;
  for (int attempt = 0; attempt < kTableNames; ++attempt) {
    std::string name = absl::StrCat("lwt_", getpid());
    if (attempt > 0) absl::StrAppend(&name, "_", attempt);
    const std::string of = absl::StrCat(" netdev ", name, " ");
    std::string commands =
        absl::StrCat("create table", of, "{ flags owner; }\n");
    for (const std::string_view set : sets) {
      absl::StrAppend(&commands, "add set", of, std::string(set), "\n");
    }
    absl::StrAppend(&commands, "add chain", of,
                    "ingress { type filter hook ingress device \"",
                    std::string(device), "\" priority ", kPriority,
                    "; policy accept; }\n");
    for (const std::string_view rule : rules) {
      absl::StrAppend(&commands, "add rule", of, "ingress ", std::string(rule),
                      "\n");
    }
    status = Run(commands);
    if (status.ok()) {
      name_ = name;
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

absl::Status OwnerTable::Run(const std::string& commands) {
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
