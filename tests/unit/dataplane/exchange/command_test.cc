// Keys do not stay behind in memory that a command was in.

#include "dataplane/exchange/command.h"

#include <gtest/gtest.h>
#include <string.h>

#include <new>

namespace lwt {
namespace {

// The bytes of a T after its life, as whoever gets the memory next sees them.
template <typename T>
class Remains {
 public:
  explicit Remains(const T& value) {
    // Not by an initializer: it ends where the life of the T begins, so that a
    // compiler may leave it out, and what lay on the stack shows through where
    // an alternative is shorter than the longest.
    explicit_bzero(memory_, sizeof(memory_));
    T* object = new (memory_) T(value);
    held_ = Count(0xab);
    object->~T();
  }
  size_t held() const { return held_; }
  size_t left() const { return Count(0xab); }

 private:
  size_t Count(uint8_t byte) const {
    const volatile uint8_t* bytes = memory_;
    size_t count = 0;
    for (size_t i = 0; i < sizeof(T); ++i) count += bytes[i] == byte;
    return count;
  }

  alignas(T) uint8_t memory_[sizeof(T)];
  size_t held_ = 0;
};

EpochKeys SomeKeys() {
  EpochKeys keys;
  keys.key.fill(0xab);
  keys.iv.fill(0xab);
  return keys;
}

TEST(CommandTest, EpochKeysAreWiped) {
  const Remains remains(SomeKeys());
  EXPECT_EQ(remains.held(), 44u);
  EXPECT_EQ(remains.left(), 0u);
}

TEST(CommandTest, KeysOfANewLaneAreWipedWithTheirCommand) {
  InstallLaneCommand install;
  install.send = SomeKeys();
  install.receive = SomeKeys();
  install.send_mask.fill(0xab);
  install.receive_mask.fill(0xab);
  const Remains<Command> remains{Command(install)};
  EXPECT_EQ(remains.held(), 2 * 44u + 2 * 32u);
  EXPECT_EQ(remains.left(), 0u);
}

TEST(CommandTest, KeysOfAnEpochAreWipedWithTheirCommand) {
  const Remains<Command> receive{
      Command(InstallReceiveEpochCommand{.lane = 1, .keys = SomeKeys()})};
  EXPECT_EQ(receive.held(), 44u);
  EXPECT_EQ(receive.left(), 0u);
  const Remains<Command> send{
      Command(SwitchSendEpochCommand{.lane = 1, .keys = SomeKeys()})};
  EXPECT_EQ(send.held(), 44u);
  EXPECT_EQ(send.left(), 0u);
}

}  // namespace
}  // namespace lwt
