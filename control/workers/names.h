// Names that control has for what workers have, on top of those that it shares
// with them.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "dataplane/names.h"

namespace lwt::peer {

// A lane among those of all workers.
struct LaneName {
  static const LaneName kNone;
  WorkerIndex worker;
  LaneIndex index;
  friend constexpr auto operator<=>(LaneName, LaneName) = default;
};
inline constexpr LaneName LaneName::kNone{};

}  // namespace lwt::peer

template <>
struct std::hash<lwt::peer::LaneName> {
  size_t operator()(lwt::peer::LaneName lane) const {
    return std::hash<uint64_t>()(uint64_t{lane.worker.value} << 32 |
                                 lane.index.value);
  }
};
