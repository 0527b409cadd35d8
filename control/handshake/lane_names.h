// Names that both ends of a session have for its lanes. Each is a type of its
// own, so that none is taken for another, made of a number in braces.
#pragma once

#include <compare>
#include <cstdint>

#include "dataplane/braced_number.h"

namespace lwt::handshake {

// A lane of a session, never used twice. The first lane comes with the session
// and has 0, so no lane that joins has it.
struct LaneId {
  static const LaneId kFirst;
  uint16_t value = 0;
  constexpr LaneId() = default;
  // By braces alone. NOLINTNEXTLINE(google-explicit-constructor)
  constexpr LaneId(BracedNumber<uint16_t> number) : value(number.value()) {}
  friend constexpr auto operator<=>(LaneId, LaneId) = default;
};
inline constexpr LaneId LaneId::kFirst{};

// A place among those that a session sends on: the newest lane of it counts.
struct LaneSlot {
  uint8_t value = 0;
  constexpr LaneSlot() = default;
  // By braces alone. NOLINTNEXTLINE(google-explicit-constructor)
  constexpr LaneSlot(BracedNumber<uint8_t> number) : value(number.value()) {}
  friend constexpr auto operator<=>(LaneSlot, LaneSlot) = default;
};

}  // namespace lwt::handshake
