#include "control/hub/hub_unproven.h"

#include <algorithm>
#include <cstring>
#include <optional>

namespace lwt::peer {
namespace {

// The family and the first 24 or 56 bits of an address.
uint64_t NetworkOf(const IpAddress& address) {
  std::array<uint8_t, 8> network{};
  network[0] = static_cast<uint8_t>(address.family);
  std::memcpy(&network[1], address.bytes.data(),
              address.family == Family::kIpv4 ? 3 : 7);
  uint64_t value = 0;
  std::memcpy(&value, network.data(), sizeof value);
  return value;
}

bool HasProvenKey(const HubFlow& flow) {
  switch (flow.state()) {
    case HubFlow::State::kHandshake:
    case HubFlow::State::kAwaitVerdict:
    case HubFlow::State::kJoinAnswered:
    case HubFlow::State::kJoinSaid:
      return true;
    default:
      return false;
  }
}

}  // namespace

HubUnproven::HubUnproven(FlowOwners& owners, FlowOwner& owner)
    : owners_(owners), owner_(owner), flows_(kMaxFlows) {}

HubUnproven::~HubUnproven() {
  ForEach([this](HubFlow& flow) { Remove(flow); });
}

HubFlow* HubUnproven::Find(FlowId flow) {
  const auto found = std::find(ids_.begin(), ids_.end(), flow);
  if (flow == kNullFlow || found == ids_.end()) return nullptr;
  return &flows_[static_cast<size_t>(found - ids_.begin())];
}

uint16_t HubUnproven::SourceOf(const IpAddress& address) const {
  const uint64_t network = NetworkOf(address);
  size_t unused = 0;
  for (size_t i = 0; i < sources_.size(); ++i) {
    if (sources_[i].flows == 0) {
      unused = i;
    } else if (sources_[i].network == network) {
      return static_cast<uint16_t>(i);
    }
  }
  return static_cast<uint16_t>(unused);
}

bool HubUnproven::GoesBefore(size_t a, size_t b, uint16_t newcomer) const {
  const auto share = [&](size_t place) {
    const uint16_t source = source_of_[place];
    return sources_[source].flows + (source == newcomer ? 1 : 0);
  };
  if (share(a) != share(b)) return share(a) > share(b);
  return arrivals_[a] < arrivals_[b];
}

HubFlow* HubUnproven::PushedOut(const IpAddress& source) {
  if (std::find(ids_.begin(), ids_.end(), kNullFlow) != ids_.end()) {
    return nullptr;
  }
  const uint16_t newcomer = SourceOf(source);
  const auto proven = static_cast<size_t>(
      std::count_if(flows_.begin(), flows_.end(), HasProvenKey));
  const bool preferred = proven <= kMaxPreferred;
  std::optional<size_t> first;
  for (size_t place = 0; place < kMaxFlows; ++place) {
    if (preferred && HasProvenKey(flows_[place])) continue;
    if (!first || GoesBefore(place, *first, newcomer)) first = place;
  }
  return &flows_[*first];
}

HubFlow& HubUnproven::Add(FlowId flow, const IpAddress& source) {
  const auto place = static_cast<size_t>(
      std::find(ids_.begin(), ids_.end(), kNullFlow) - ids_.begin());
  const uint16_t network = SourceOf(source);
  sources_[network].network = NetworkOf(source);
  ++sources_[network].flows;
  ids_[place] = flow;
  owners_.OwnFlow(flow, owner_);
  arrivals_[place] = next_arrival_++;
  source_of_[place] = network;
  return flows_[place];
}

void HubUnproven::Remove(HubFlow& flow) {
  const auto place = static_cast<size_t>(&flow - flows_.data());
  flow.Free();
  owners_.ForgetFlow(ids_[place], owner_);
  ids_[place] = kNullFlow;
  --sources_[source_of_[place]].flows;
}

}  // namespace lwt::peer
