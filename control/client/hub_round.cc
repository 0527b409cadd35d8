#include "control/client/hub_round.h"

#include <algorithm>
#include <utility>

#include "control/base/text.h"
#include "control/config/values.h"
#include "drivers/check.h"

namespace lwt::peer {

using handshake::PinnedBy;

std::string HubTarget::Name() const { return config::ToText(address); }

HubRound::HubRound(std::vector<HubTarget> hubs) : hubs_(std::move(hubs)) {
  LWT_CHECK(!hubs_.empty(), "a client without a hub");
  Begin();
}

bool HubRound::SetHubs(std::vector<HubTarget> hubs) {
  LWT_CHECK(!hubs.empty(), "a client without a hub");
  if (hubs == hubs_) return false;
  hubs_ = std::move(hubs);
  return true;
}

void HubRound::Begin() {
  rest_.assign(hubs_.begin(), hubs_.end());
  if (used_) {
    const auto first = std::find_if(
        rest_.begin(), rest_.end(),
        [this](const HubTarget& hub) { return hub.address == used_->address; });
    if (first != rest_.end()) std::rotate(rest_.begin(), first, first + 1);
  }
  several_ = rest_.size() > 1;
  failures_.clear();
  hub_ = std::move(rest_.front());
  rest_.pop_front();
}

bool HubRound::Next(std::string_view why) {
  if (several_) {
    failures_ +=
        config::Concat(failures_.empty() ? "" : "; ", hub_.Name(), ": ", why);
  } else {
    failures_ = why;
  }
  if (rest_.empty()) return false;
  hub_ = std::move(rest_.front());
  rest_.pop_front();
  return true;
}

void HubRound::OnSession(const handshake::PublicKey& key) {
  hub_.key = key;
  used_ = hub_;
  if (hub_.pinned_by != PinnedBy::kFirstContact) return;
  for (HubTarget& hub : hubs_) {
    if (hub.pinned_by == PinnedBy::kFirstContact) hub.key = key;
  }
}

std::optional<handshake::PublicKey> HubRound::FirstContactKey() const {
  for (const HubTarget& hub : hubs_) {
    if (hub.pinned_by == PinnedBy::kFirstContact) return hub.key;
  }
  return std::nullopt;
}

}  // namespace lwt::peer
