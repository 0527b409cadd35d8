#include "dataplane/flow/closed_flows.h"

#include <algorithm>
#include <bit>

namespace lwt {

ClosedFlows::ClosedFlows(uint32_t places, const FlowKeyedHash& hash)
    : hash_(hash), places_(std::bit_ceil(std::max<size_t>(places, kWays))) {}

ClosedFlow* ClosedFlows::SetOf(const FlowKey& key) {
  const uint64_t sets = places_.size() / kWays;
  return &places_[(hash_.Of(HashUse::kTable, key) & (sets - 1)) * kWays];
}

void ClosedFlows::Add(const ClosedFlow& flow, uint64_t now_us) {
  ClosedFlow* const set = SetOf(flow.key);
  ClosedFlow* place = std::find_if(
      set, set + kWays,
      [&](const ClosedFlow& other) { return other.key == flow.key; });
  if (place == set + kWays) {
    place = std::min_element(set, set + kWays,
                             [](const ClosedFlow& a, const ClosedFlow& b) {
                               return a.until_us < b.until_us;
                             });
  }
  *place = flow;
  place->until_us = now_us + kKeepUs;
  last_until_us_ = place->until_us;
}

ClosedFlow* ClosedFlows::Find(const FlowKey& key, uint64_t now_us) {
  if (now_us >= last_until_us_) return nullptr;
  ClosedFlow* const set = SetOf(key);
  ClosedFlow* const place =
      std::find_if(set, set + kWays, [&](const ClosedFlow& flow) {
        return flow.until_us > now_us && flow.key == key;
      });
  return place == set + kWays ? nullptr : place;
}

}  // namespace lwt
