// An nftables table of family netdev with one chain at ingress of an interface,
// that drops behind our packet sockets what they take: they see frames before
// that hook, the kernel's stack after it.
//
// The table has the owner flag: another program's `flush ruleset` leaves it,
// and the kernel removes it when this process dies, however it dies. Owned by
// the control thread.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <memory>
#include <string>
#include <string_view>

struct nft_ctx;

namespace lwt::host {

class OwnerTable {
 public:
  // `sets` and `rules` are lines of nft, a set's with its type and a rule's
  // condition and verdict: "local4 { type ipv4_addr; }", "ip daddr @local4
  // drop". The device may have a link header or none. NotFound when there is no
  // such device; else the error is the reason that nft gives.
  static absl::StatusOr<std::unique_ptr<OwnerTable>> Open(
      std::string_view device, std::initializer_list<std::string_view> sets,
      std::initializer_list<std::string_view> rules);
  ~OwnerTable();
  OwnerTable(const OwnerTable&) = delete;
  OwnerTable& operator=(const OwnerTable&) = delete;

  // Commands of nft, as one transaction.
  absl::Status Run(const std::string& commands);

  // "lwt_<pid>", as `nft list tables` shows it.
  const std::string& name() const { return name_; }

 private:
  explicit OwnerTable(nft_ctx* context) : context_(context) {}

  absl::Status Add(std::string_view device,
                   std::initializer_list<std::string_view> sets,
                   std::initializer_list<std::string_view> rules);

  nft_ctx* const context_;
  std::string name_;
};

}  // namespace lwt::host
