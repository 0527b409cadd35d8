// Names are made of a number in braces of its own: what would take one kind for
// another, or a bare number for one, does not compile.
#include "dataplane/names.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <type_traits>

#include "dataplane/exchange/command.h"
#include "dataplane/exchange/event.h"
#include "dataplane/flow/flow_id.h"

namespace lwt {
namespace {

template <typename Made, typename... Parts>
concept MadeOf = requires(Parts... parts) {
  Made{parts...};
};

// Of a number in braces, of no bare one, of no other name; and it costs what a
// number costs.
template <typename Name, typename Number>
concept IsStrongName =
    MadeOf<Name, Number> && MadeOf<Name, uint8_t> &&
    !std::is_convertible_v<Number, Name> &&
    !std::is_convertible_v<int, Name> && !MadeOf<Name, double> &&
    !MadeOf<Name, Number, Number> && std::is_trivially_copyable_v<Name> &&
    sizeof(Name) == sizeof(Number);

static_assert(IsStrongName<WorkerIndex, uint32_t>);
static_assert(IsStrongName<LaneIndex, uint32_t>);
static_assert(IsStrongName<PeerIndex, uint32_t>);
static_assert(IsStrongName<FlowId, uint64_t>);
static_assert(!MadeOf<PeerIndex, LaneIndex> && !MadeOf<LaneIndex, PeerIndex>);
static_assert(!MadeOf<WorkerIndex, LaneIndex> && !MadeOf<FlowId, LaneIndex>);

// No command takes a bare number, and none is made of the first number that is
// there, but the one that begins with a token, which is one.
template <typename Any>
inline constexpr bool kTakesANumber = false;
template <typename... Commands>
inline constexpr bool kTakesANumber<std::variant<Commands...>> =
    ((!std::is_same_v<Commands, ConnectCommand> &&
      (MadeOf<Commands, uint32_t> || MadeOf<Commands, uint64_t> ||
       MadeOf<Commands, uint32_t, uint32_t>)) ||
     ...);
static_assert(!kTakesANumber<Command>);
static_assert(!kTakesANumber<CommandToAll>);
static_assert(MadeOf<RemoveLaneCommand, LaneIndex>);
static_assert(!MadeOf<RemoveLaneCommand, WorkerIndex>);
static_assert(MadeOf<CloseFlowCommand, FlowId>);

TEST(NamesTest, HoldTheirNumber) {
  constexpr uint32_t kMost = std::numeric_limits<uint32_t>::max();
  EXPECT_EQ(LaneIndex{7}.value, 7u);
  EXPECT_EQ(WorkerIndex{uint8_t{200}}.value, 200u);
  EXPECT_EQ(PeerIndex{kMost}, PeerIndex::kNone);
  EXPECT_EQ(LaneIndex(), LaneIndex::kNone);
  EXPECT_EQ(FlowId(), kNullFlow);
  EXPECT_EQ(FlowId{~uint64_t{0}}.value, ~uint64_t{0});
}

}  // namespace
}  // namespace lwt
