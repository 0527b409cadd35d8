#include "control/platform/uplink_set.h"

#include <algorithm>
#include <utility>

namespace lwt::platform {

absl::StatusOr<std::unique_ptr<UplinkSet>> UplinkSet::Of(
    Attachments attachments) {
  std::unique_ptr<UplinkSet> set(new UplinkSet(std::move(attachments)));
  if (set->attachments_.size() == 1) return set;
  std::vector<JoinedUplink::Leg> legs;
  for (const auto& each : set->attachments_) {
    legs.push_back({each->leg(), &each->port()});
  }
  absl::StatusOr<std::unique_ptr<JoinedUplink>> joined =
      JoinedUplink::Join(legs);
  if (!joined.ok()) return joined.status();
  set->joined_ = *std::move(joined);
  std::string reason = set->first().port().reason() + "; served as well: ";
  for (size_t i = 1; i < set->attachments_.size(); ++i) {
    reason += (i == 1 ? "" : ", ") + set->attachments_[i]->link().name;
  }
  set->joined_->set_reason(std::move(reason));
  return set;
}

absl::Status UplinkSet::SetEndpoints(std::span<const Endpoint> endpoints) {
  for (const auto& each : attachments_) {
    const absl::Status status = each->SetEndpoints(endpoints);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

void UplinkSet::RefreshLinks(host::Netlink& netlink,
                             std::span<const int> gone) {
  for (const auto& each : attachments_) {
    const bool is_gone =
        std::find(gone.begin(), gone.end(), each->link().index) != gone.end();
    each->RefreshLink(netlink, is_gone);
  }
}

std::shared_ptr<UplinkAttachment> UplinkSet::Holding(
    const host::Link& link) const {
  for (const auto& each : attachments_) {
    if (each->link().index == link.index && each->holds() &&
        each->link().name == link.name) {
      return each;
    }
  }
  return nullptr;
}

const UplinkAttachment* UplinkSet::OfLeg(uint8_t leg) const {
  for (const auto& each : attachments_) {
    if (each->leg() == leg) return each.get();
  }
  return nullptr;
}

bool UplinkSet::Has(const std::shared_ptr<UplinkAttachment>& attachment) const {
  return std::find(attachments_.begin(), attachments_.end(), attachment) !=
         attachments_.end();
}

std::vector<int> UplinkSet::Interfaces() const {
  std::vector<int> indexes;
  for (const auto& each : attachments_) {
    if (each->holds()) indexes.push_back(each->link().index);
  }
  return indexes;
}

PortReading UplinkSet::ReadCounters(const UplinkSet* next) const {
  PortReading sum;
  if (joined_ != nullptr) sum = joined_->ReadOwn();
  for (const auto& each : attachments_) {
    if (next != nullptr && next->Has(each)) continue;
    for (uint16_t i = 0; i < each->port().port_count(); ++i) {
      sum.Add(each->port().port(i).ReadCounters());
    }
  }
  return sum;
}

UplinkSet::Attachments UplinkSet::Leave(const UplinkSet& next) {
  joined_.reset();
  std::erase_if(attachments_, [&](const auto& each) { return next.Has(each); });
  return std::move(attachments_);
}

std::optional<uint8_t> UplinkSet::LegOf(int ifindex) const {
  for (const auto& each : attachments_) {
    if (each->link().index == ifindex) return each->leg();
  }
  return std::nullopt;
}

uint8_t FreeLeg(const UplinkSet::Attachments& next, const UplinkSet* now,
                uint8_t last) {
  const auto after = [](uint8_t leg) {
    return static_cast<uint8_t>((leg + 1u) % JoinedUplink::kNumbers);
  };
  uint8_t leg = after(last);
  const auto is_taken = [&] {
    return (now != nullptr && now->has_leg(leg)) ||
           std::any_of(next.begin(), next.end(),
                       [&](const auto& each) { return each->leg() == leg; });
  };
  while (is_taken()) leg = after(leg);
  return leg;
}

}  // namespace lwt::platform
