// The sliding window of packet numbers that were opened (RFC 6479): no shift,
// one bit per number, whole words are cleared as the window moves.
//
// Owned by one lane's receive half. A check and a commit cost one word access
// each; 8 KiB.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace lwt::session {

class ReplayWindow {
 public:
  // Numbers that may arrive late; docs/protocol.md asks for 65 536 and no less
  // than the largest TCP window over the MSS.
  static constexpr uint64_t kSize = 65536;

  enum class Verdict : uint8_t { kNew, kReplayed, kTooOld };

  // What Commit would say; changes nothing.
  Verdict Peek(uint64_t number) const {
    if (number >= next_) return Verdict::kNew;
    if (number + kSize < next_) return Verdict::kTooOld;
    const bool seen = (WordOf(number) & BitOf(number)) != 0;
    return seen ? Verdict::kReplayed : Verdict::kNew;
  }

  // Marks a number as opened. Call it only after the tag has verified.
  Verdict Commit(uint64_t number) {
    const Verdict verdict = Peek(number);
    if (verdict != Verdict::kNew) return verdict;
    if (number >= next_) Advance(number);
    words_[IndexOf(number)] |= BitOf(number);
    return verdict;
  }

  // One more than the highest number committed.
  uint64_t next() const { return next_; }

 private:
  static constexpr uint64_t kWordBits = 64;
  // One word more than the size needs, so that clearing the next word never
  // touches a number still within the window.
  static constexpr uint64_t kWords = kSize / kWordBits + 1;

  static uint64_t IndexOf(uint64_t number) {
    return (number / kWordBits) % kWords;
  }
  static uint64_t BitOf(uint64_t number) {
    return uint64_t{1} << (number % kWordBits);
  }
  uint64_t WordOf(uint64_t number) const { return words_[IndexOf(number)]; }

  void Advance(uint64_t number) {
    const uint64_t last = next_ == 0 ? 0 : (next_ - 1) / kWordBits;
    const uint64_t fresh = std::min(number / kWordBits - last, kWords);
    for (uint64_t i = 1; i <= fresh; ++i) words_[(last + i) % kWords] = 0;
    next_ = number + 1;
  }

  uint64_t next_ = 0;
  std::array<uint64_t, kWords> words_{};
};

}  // namespace lwt::session
