// Names of what a gateway has several of. Each is a type of its own, so that
// none is taken for another, made of a number in braces and of no bare one, and
// has one value that names nothing.
#pragma once

#include <compare>
#include <cstdint>

#include "dataplane/braced_number.h"

namespace lwt {

// As many as a flow's name can tell apart.
inline constexpr uint32_t kMaxWorkers = 16;

// A worker of this gateway.
struct WorkerIndex {
  static const WorkerIndex kNone;
  uint32_t value = UINT32_MAX;
  constexpr WorkerIndex() = default;
  // By braces alone. NOLINTNEXTLINE(google-explicit-constructor)
  constexpr WorkerIndex(BracedNumber<uint32_t> number)
      : value(number.value()) {}
  friend constexpr auto operator<=>(WorkerIndex, WorkerIndex) = default;
};
inline constexpr WorkerIndex WorkerIndex::kNone{};

// A lane among those of one worker.
struct LaneIndex {
  static const LaneIndex kNone;
  uint32_t value = UINT32_MAX;
  constexpr LaneIndex() = default;
  // By braces alone. NOLINTNEXTLINE(google-explicit-constructor)
  constexpr LaneIndex(BracedNumber<uint32_t> number) : value(number.value()) {}
  friend constexpr auto operator<=>(LaneIndex, LaneIndex) = default;
};
inline constexpr LaneIndex LaneIndex::kNone{};

// A peer in Snapshot::peers.
struct PeerIndex {
  static const PeerIndex kNone;
  uint32_t value = UINT32_MAX;
  constexpr PeerIndex() = default;
  // By braces alone. NOLINTNEXTLINE(google-explicit-constructor)
  constexpr PeerIndex(BracedNumber<uint32_t> number) : value(number.value()) {}
  friend constexpr auto operator<=>(PeerIndex, PeerIndex) = default;
};
inline constexpr PeerIndex PeerIndex::kNone{};

}  // namespace lwt
