#include "tests/support/world/attacker.h"

#include <algorithm>
#include <numeric>

namespace lwt::world {
namespace {

using wire::SackBlock;
using wire::TcpSeq;

constexpr uint32_t kSegmentSize = 1448;
// A merged frame is no longer than a kernel's, which fits a jumbo buffer.
constexpr size_t kLongestMerged = 60'000;
constexpr size_t kLongestPayload = 1448;

}  // namespace

void Attacker::ChangeMood() {
  resting_ = false;
  constexpr uint8_t kLikes[] = {0, 0, 0, 1, 4, 16};
  for (uint8_t& weight : weights_) weight = choices_.Of(kLikes);
  // From hardly anything to everything.
  constexpr uint8_t kPasses[] = {255, 128, 64, 16, 0};
  weights_[0] = choices_.Of(kPasses);
  weight_ = std::accumulate(weights_.begin(), weights_.end(), 0u);
  // Nothing at all is the end of the path.
  if (weight_ == 0 || choices_.OneIn(8)) {
    weights_ = {0, 1};
    weight_ = 1;
  }
  // Or only of one way of it.
  constexpr Side kSides[] = {Side::kBoth, Side::kBoth, Side::kFirst,
                             Side::kOthers};
  side_ = choices_.Of(kSides);
}

bool Attacker::Spares(const Bytes& frame) const {
  if (side_ == Side::kBoth || memory_.empty()) return false;
  IpAddress to;
  if (!DestinationOf(frame, to)) return false;
  return (to == first_) != (side_ == Side::kFirst);
}

void Attacker::Rest() {
  LetGo();
  resting_ = true;
}

Attacker::Deed Attacker::Choose() {
  uint32_t at = choices_.Below(weight_);
  size_t deed = 0;
  while (at >= weights_[deed]) at -= weights_[deed++];
  ++done_[deed];
  return static_cast<Deed>(deed);
}

void Attacker::Pass(Frame frame) {
  Remember(frame.bytes);
  if (resting_ || Spares(frame.bytes)) {
    return network_.Carry(std::move(frame));
  }
  ++steps_;
  Do(Choose(), std::move(frame));
}

void Attacker::Do(Deed deed, Frame frame) {
  if (deed != Deed::kMerge) LetGo();
  switch (deed) {
    case Deed::kPass:
      return network_.Carry(std::move(frame));
    case Deed::kDrop:
      return;
    case Deed::kRepeat:
      for (uint32_t i = choices_.Below(4) + 1; i > 0; --i) {
        network_.Carry(frame, choices_.OneIn(4) ? Delay() : 0);
      }
      return network_.Carry(std::move(frame));
    case Deed::kDelay:
      return network_.Carry(std::move(frame), Delay());
    case Deed::kFlip:
      return Flip(std::move(frame));
    case Deed::kBend:
      return Bend(std::move(frame));
    case Deed::kCut:
      return Cut(std::move(frame));
    case Deed::kMerge:
      return Merge(std::move(frame));
    case Deed::kReplay:
      network_.Carry(std::move(frame));
      return Replay();
    case Deed::kForge:
    case Deed::kForgeAck:
      network_.Carry(std::move(frame));
      return Forge(deed == Deed::kForgeAck);
  }
}

void Attacker::Remember(const Bytes& frame) {
  memory_.push_back(frame);
  if (memory_.size() > kMemory) memory_.pop_front();
}

void Attacker::Inject() {
  if (resting_ || memory_.empty()) return;
  ++steps_;
  switch (choices_.Below(4)) {
    case 0:
      return Replay();
    case 1:
      return Forge(true);
    default:
      return Forge(false);
  }
}

void Attacker::Replay() {
  network_.Carry(
      {memory_[choices_.Below(static_cast<uint32_t>(memory_.size()))], false});
}

void Attacker::Flip(Frame frame) {
  for (uint32_t i = choices_.Below(4) + 1; i > 0; --i) {
    const uint32_t at =
        choices_.Below(static_cast<uint32_t>(frame.bytes.size()));
    frame.bytes[at] ^= static_cast<uint8_t>(1 + choices_.Below(255));
  }
  network_.Carry(std::move(frame));
}

void Attacker::Bend(Frame frame) {
  auto segment = Segment::Of(std::move(frame.bytes));
  if (!segment) return;
  if (segment->payload_size() != 0) {
    const auto payload = segment->payload();
    const auto size = static_cast<uint32_t>(payload.size());
    for (uint32_t i = choices_.Below(4) + 1; i > 0; --i) {
      payload[choices_.Below(choices_.OneIn(2) ? size : std::min(size, 40u))] ^=
          static_cast<uint8_t>(1 + choices_.Below(255));
    }
  }
  network_.Carry({std::move(*segment).Finish(), false});
}

void Attacker::Cut(Frame frame) {
  const auto whole = Segment::Of(frame.bytes);
  if (!whole || whole->payload_size() < 2) {
    return network_.Carry(std::move(frame));
  }
  Segment copy = *whole;
  const std::span<const uint8_t> all = copy.payload();
  constexpr uint32_t kSizes[] = {1, 5, 100, 536, 1000};
  const uint32_t most = choices_.Of(kSizes);
  const bool shuffled = choices_.OneIn(3);
  size_t pieces = 0;
  for (size_t at = 0; at < all.size() && pieces < 64; ++pieces) {
    const size_t left = all.size() - at;
    const size_t size = pieces == 63 ? left : std::min<size_t>(left, most);
    Segment piece = *whole;
    piece.SetPayload(all.subspan(at, size));
    piece.SetSeq(whole->seq() + static_cast<uint32_t>(at));
    network_.Carry({std::move(piece).Finish(), false},
                   shuffled ? choices_.Below(2000) : 0);
    at += size;
  }
}

void Attacker::Merge(Frame frame) {
  auto next = Segment::Of(frame.bytes);
  const bool plain =
      next && next->payload_size() != 0 &&
      (next->flags() & (wire::kSyn | wire::kFin | wire::kRst)) == 0;
  if (!plain) {
    LetGo();
    return network_.Carry(std::move(frame));
  }
  if (held_ && held_->IsContinuedBy(*next) &&
      held_->payload_size() + next->payload_size() < kLongestMerged) {
    Bytes both(held_->payload().begin(), held_->payload().end());
    both.insert(both.end(), next->payload().begin(), next->payload().end());
    held_->SetPayload(both);
    return;
  }
  LetGo();
  held_ = std::move(next);
}

void Attacker::LetGo() {
  if (!held_) return;
  Bytes bytes = std::move(*held_).Finish();
  held_.reset();
  const bool merged = bytes.size() > Segment::kTcp + 60 + kLongestPayload;
  network_.Carry({std::move(bytes), merged});
}

uint32_t Attacker::Distance() {
  constexpr uint32_t kNear[] = {0,
                                0,
                                0,
                                1,
                                0u - 1,
                                kSegmentSize,
                                0u - kSegmentSize,
                                65'535,
                                0u - 65'536,
                                1u << 24,
                                0u - (1u << 24),
                                0x7fffffff,
                                0x80000000};
  if (choices_.OneIn(16)) return choices_.Any32();
  const uint32_t near = choices_.Of(kNear);
  return choices_.OneIn(4) ? near + choices_.Below(1u << 16) : near;
}

void Attacker::BendOptions(Segment& segment) {
  auto timestamps = segment.timestamps();
  if (timestamps) {
    constexpr uint32_t kTimes[] = {
        0, 0, 1, 1000, 0x7fffffff, 0x80000000, 0x80000001, 0u - 5000, 0u - 1};
    timestamps->value += choices_.Of(kTimes);
    timestamps->echo += choices_.Of(kTimes);
    if (choices_.OneIn(16)) timestamps.reset();
  }
  std::array<SackBlock, 4> blocks;
  const uint32_t count = choices_.Below(5);
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t left = segment.ack() + Distance();
    constexpr uint32_t kSizes[] = {kSegmentSize, 1,      0,
                                   100'000,      0u - 1, 0x7fffffff};
    blocks[i] = {TcpSeq(left), TcpSeq(left + choices_.Of(kSizes))};
  }
  segment.SetOptions(timestamps, {blocks.data(), count});
}

void Attacker::BendPayload(Segment& segment) {
  Bytes payload;
  constexpr size_t kSizes[] = {0, 1, 5, 100, kLongestPayload};
  payload.resize(choices_.Of(kSizes));
  for (uint8_t& byte : payload) byte = choices_.Noise();
  // What looks like a record of TLS.
  if (payload.size() >= 5 && choices_.OneIn(2)) {
    constexpr uint8_t kTypes[] = {0x17, 0x16, 0x15, 0x14};
    payload[0] = choices_.Of(kTypes);
    payload[1] = payload[2] = 3;
    wire::StoreBe16(&payload[3], static_cast<uint16_t>(choices_.Below(17000)));
  }
  segment.SetPayload(payload);
}

void Attacker::Forge(bool plain_ack) {
  const auto back = choices_.Below(
      static_cast<uint32_t>(std::min<size_t>(memory_.size(), 8)));
  auto segment = Segment::Of(memory_[memory_.size() - 1 - back]);
  if (!segment) return;
  constexpr uint8_t kFlags[] = {wire::kAck,
                                wire::kAck | wire::kPsh,
                                wire::kRst,
                                wire::kRst | wire::kAck,
                                wire::kFin | wire::kAck,
                                wire::kSyn,
                                wire::kSyn | wire::kAck,
                                wire::kAck | wire::kUrg,
                                0};
  // What was seen has mostly arrived: the next number is the one behind it.
  const size_t behind = choices_.OneIn(2) ? segment->payload_size() : 0;
  segment->SetSeq(segment->seq() + static_cast<uint32_t>(behind) + Distance());
  segment->SetAck(segment->ack() + Distance());
  segment->SetFlags(plain_ack ? uint8_t{wire::kAck} : choices_.Of(kFlags));
  constexpr uint16_t kWindows[] = {0, 1, 500, 65'535};
  if (choices_.OneIn(2)) segment->SetWindow(choices_.Of(kWindows));
  if (plain_ack || choices_.OneIn(2)) BendOptions(*segment);
  if (plain_ack) {
    segment->SetPayload({});
  } else {
    BendPayload(*segment);
  }
  network_.Carry({std::move(*segment).Finish(), false});
}

}  // namespace lwt::world
