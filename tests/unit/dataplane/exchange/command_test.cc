// Keys pass from control to a worker in locked memory, which is wiped with
// their command.

#include "dataplane/exchange/command.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

namespace lwt {
namespace {

EpochKeys SomeKeys() {
  EpochKeys keys;
  std::memset(keys.key.data(), 0xab, keys.key.size());
  std::memset(keys.iv.data(), 0xab, keys.iv.size());
  return keys;
}

// Where a key lies. Slots stay readable when they are given back.
using Place = std::pair<const uint8_t*, size_t>;

template <size_t N>
Place PlaceOf(const SecretBytes<N>& key) {
  return {key.data(), N};
}

bool AllAre(const Place& place, uint8_t byte) {
  return std::all_of(place.first, place.first + place.second,
                     [byte](uint8_t held) { return held == byte; });
}

// The command's own bytes, without what it points to.
template <typename T>
bool HoldsKeyItself(const T& object) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&object);
  constexpr uint8_t kKey[] = {0xab, 0xab, 0xab, 0xab};
  return std::search(bytes, bytes + sizeof(T), kKey, kKey + sizeof(kKey)) !=
         bytes + sizeof(T);
}

void ExpectWipedWith(std::unique_ptr<Command> command,
                     const std::vector<Place>& places) {
  EXPECT_FALSE(HoldsKeyItself(*command));
  for (const Place& place : places) EXPECT_TRUE(AllAre(place, 0xab));
  command.reset();
  for (const Place& place : places) EXPECT_TRUE(AllAre(place, 0));
}

TEST(CommandTest, KeysOfANewLaneAreWipedWithTheirCommand) {
  auto command = std::make_unique<Command>(InstallLaneCommand{});
  auto& install = std::get<InstallLaneCommand>(*command);
  install.send = SomeKeys();
  install.receive = SomeKeys();
  std::memset(install.send_mask.data(), 0xab, install.send_mask.size());
  std::memset(install.receive_mask.data(), 0xab, install.receive_mask.size());
  ExpectWipedWith(std::move(command),
                  {PlaceOf(install.send.key), PlaceOf(install.send.iv),
                   PlaceOf(install.receive.key), PlaceOf(install.receive.iv),
                   PlaceOf(install.send_mask), PlaceOf(install.receive_mask)});
}

TEST(CommandTest, KeysOfAnEpochAreWipedWithTheirCommand) {
  auto receive = std::make_unique<Command>(
      InstallReceiveEpochCommand{.lane = {1}, .keys = SomeKeys()});
  const EpochKeys& opened = std::get<InstallReceiveEpochCommand>(*receive).keys;
  ExpectWipedWith(std::move(receive),
                  {PlaceOf(opened.key), PlaceOf(opened.iv)});
  auto send = std::make_unique<Command>(
      SwitchSendEpochCommand{.lane = {1}, .keys = SomeKeys()});
  const EpochKeys& sealed = std::get<SwitchSendEpochCommand>(*send).keys;
  ExpectWipedWith(std::move(send), {PlaceOf(sealed.key), PlaceOf(sealed.iv)});
}

// As a command is made, put into a queue and taken over by the ring.
TEST(CommandTest, KeysThatMoveAreWipedWhereTheyWere) {
  Command first = SwitchSendEpochCommand{.lane = {1}, .keys = SomeKeys()};
  const Place place = PlaceOf(std::get<SwitchSendEpochCommand>(first).keys.key);
  {
    const Command copy = first;
    const Place second =
        PlaceOf(std::get<SwitchSendEpochCommand>(copy).keys.key);
    EXPECT_NE(second.first, place.first);
    EXPECT_TRUE(AllAre(second, 0xab));
  }
  const auto moved = std::make_unique<Command>(std::move(first));
  EXPECT_EQ(PlaceOf(std::get<SwitchSendEpochCommand>(*moved).keys.key), place);
  first = RetireReceiveEpochCommand{};
  EXPECT_TRUE(AllAre(place, 0xab));
}

}  // namespace
}  // namespace lwt
