// A man in the middle: it sees every frame, drops, repeats, delays, bends,
// cuts, merges and replays them, and invents segments with numbers that are
// right, nearly right and wrong. It has no key.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "tests/support/world/choices.h"
#include "tests/support/world/network.h"
#include "tests/support/world/segment.h"

namespace lwt::world {

class Attacker final : public Middleman {
 public:
  enum class Deed : uint8_t {
    kPass,
    kDrop,
    kRepeat,
    kDelay,
    kFlip,     // bits, checksums as they are
    kBend,     // bits of the payload, checksums made right
    kCut,      // into several segments
    kMerge,    // with those that follow
    kReplay,   // the frame, and an old one
    kForge,    // the frame, and an invented one
    kForgeAck  // the frame, and an ACK with SACK blocks, windows, timestamps
  };
  static constexpr size_t kDeeds = 11;

  // `first` is the address that all talk with.
  Attacker(Network& network, Choices& choices, const IpAddress& first)
      : network_(network), choices_(choices), first_(first) {}

  // Chooses again what it likes to do.
  void ChangeMood();
  // From now on frames pass; what was held goes on.
  void Rest();

  void Pass(Frame frame) override;
  // Invents or replays one out of turn.
  void Inject();

  // Decisions so far, and how often each deed was done.
  uint64_t steps() const { return steps_; }
  const std::array<uint64_t, kDeeds>& deeds() const { return done_; }

 private:
  static constexpr size_t kMemory = 64;

  // Whose frames are touched: all, those to the first, those to the others.
  enum class Side : uint8_t { kBoth, kFirst, kOthers };

  bool Spares(const Bytes& frame) const;
  Deed Choose();
  void Do(Deed deed, Frame frame);
  void Flip(Frame frame);
  void Bend(Frame frame);
  void Cut(Frame frame);
  void Merge(Frame frame);
  void LetGo();
  void Replay();
  void Forge(bool plain_ack);
  void Remember(const Bytes& frame);
  uint32_t Distance();
  uint64_t Delay() { return choices_.Below(1u << 16) * 4; }
  void BendOptions(Segment& segment);
  void BendPayload(Segment& segment);

  Network& network_;
  Choices& choices_;
  const IpAddress first_;
  Side side_ = Side::kBoth;
  bool resting_ = true;
  std::array<uint8_t, kDeeds> weights_{};
  uint32_t weight_ = 0;
  std::optional<Segment> held_;  // grows by what follows it
  std::deque<Bytes> memory_;     // frames seen, the latest last
  uint64_t steps_ = 0;
  std::array<uint64_t, kDeeds> done_{};
};

}  // namespace lwt::world
