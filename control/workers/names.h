// Names that control has for what workers have. Each is a type of its own, so
// that none is taken for another, and has one value that names nothing.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace lwt::peer {

// A worker of this gateway.
struct WorkerIndex {
  static const WorkerIndex kNone;
  uint32_t value = UINT32_MAX;
  friend constexpr auto operator<=>(WorkerIndex, WorkerIndex) = default;
};
inline constexpr WorkerIndex WorkerIndex::kNone{};

// A lane among those of one worker: what commands and events have.
struct LaneIndex {
  static const LaneIndex kNone;
  uint32_t value = UINT32_MAX;
  friend constexpr auto operator<=>(LaneIndex, LaneIndex) = default;
};
inline constexpr LaneIndex LaneIndex::kNone{};

// A lane among those of all workers.
struct LaneName {
  static const LaneName kNone;
  WorkerIndex worker;
  LaneIndex index;
  friend constexpr auto operator<=>(LaneName, LaneName) = default;
};
inline constexpr LaneName LaneName::kNone{};

// A peer in Snapshot::peers.
struct PeerIndex {
  static const PeerIndex kNone;
  uint32_t value = UINT32_MAX;
  friend constexpr auto operator<=>(PeerIndex, PeerIndex) = default;
};
inline constexpr PeerIndex PeerIndex::kNone{};

}  // namespace lwt::peer

template <>
struct std::hash<lwt::peer::LaneName> {
  size_t operator()(lwt::peer::LaneName lane) const {
    return std::hash<uint64_t>()(uint64_t{lane.worker.value} << 32 |
                                 lane.index.value);
  }
};
