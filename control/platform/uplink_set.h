// The interfaces by which frames come in and go out, as one port to the
// workers: one, or, of a hub, each by which it may be reached. The first is
// where its own routing leads.
//
// A set does not change; another one takes its place, and attachments to
// interfaces that both have are shared. Owned by Platform. Control thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/platform/uplink_attachment.h"
#include "drivers/ports/joined_uplink.h"

namespace lwt::platform {

class UplinkSet {
 public:
  using Attachments = std::vector<std::shared_ptr<UplinkAttachment>>;

  // At least one attachment, all with ports; of several each has a leg of its
  // own.
  static absl::StatusOr<std::unique_ptr<UplinkSet>> Of(Attachments attachments);
  UplinkSet(const UplinkSet&) = delete;
  UplinkSet& operator=(const UplinkSet&) = delete;

  const UplinkAttachment& first() const { return *attachments_.front(); }
  const Attachments& attachments() const { return attachments_; }
  Uplink& port() { return joined_ == nullptr ? first_port() : *joined_; }
  const Uplink& port() const {
    return joined_ == nullptr ? first().port() : *joined_;
  }

  // On an error some have the endpoints, some do not.
  absl::Status SetEndpoints(std::span<const Endpoint> endpoints);
  // See UplinkAttachment; `gone` are indexes of links.
  void RefreshLinks(host::Netlink& netlink, std::span<const int> gone);
  // Null where it has none that holds.
  std::shared_ptr<UplinkAttachment> Holding(const host::Link& link) const;
  bool has_leg(uint8_t leg) const { return OfLeg(leg) != nullptr; }
  // Null where it has none of that number.
  const UplinkAttachment* OfLeg(uint8_t leg) const;
  // Indexes of those that hold.
  std::vector<int> Interfaces() const;
  // Of the one at that interface, which may have another name since.
  std::optional<uint8_t> LegOf(int ifindex) const;

  // What went wrong at those that `next` does not share, `next` null: at all,
  // and at what joins them.
  PortReading ReadCounters(const UplinkSet* next) const;
  // Workers have left it: what `next` does not share.
  Attachments Leave(const UplinkSet& next);

 private:
  explicit UplinkSet(Attachments attachments)
      : attachments_(std::move(attachments)) {}
  bool Has(const std::shared_ptr<UplinkAttachment>& attachment) const;
  Uplink& first_port() { return attachments_.front()->port(); }

  Attachments attachments_;
  std::unique_ptr<JoinedUplink> joined_;  // of several
};

// A number that none of these has, the next after `last`, so that one that was
// given up is another's as late as can be: flows may have it. `now` may be
// null.
uint8_t FreeLeg(const UplinkSet::Attachments& next, const UplinkSet* now,
                uint8_t last);

}  // namespace lwt::platform
