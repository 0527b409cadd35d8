#include "dataplane/flow/flow_timers.h"

#include <algorithm>
#include <bit>

namespace lwt {

FlowTimers::FlowTimers(uint32_t slots) : nodes_(slots) { heads_.fill(kNone); }

void FlowTimers::ArmBy(uint32_t slot, uint64_t deadline_us) {
  if (deadline_us == kNever) return;
  // Never in the tick being emptied, and within one turn of the wheel: what
  // is further off comes early and is armed again.
  const uint64_t tick = std::clamp((deadline_us + kTickUs - 1) / kTickUs,
                                   now_tick_ + 1, now_tick_ + kBuckets - 1);
  Node& node = nodes_[slot];
  if (node.tick <= tick) return;
  Cancel(slot);
  const size_t bucket = tick % kBuckets;
  node = {heads_[bucket], kNone, tick};
  if (node.next != kNone) nodes_[node.next].previous = slot;
  heads_[bucket] = slot;
  bits_[bucket / 64] |= uint64_t{1} << bucket % 64;
  words_ |= uint64_t{1} << bucket / 64;
}

void FlowTimers::Cancel(uint32_t slot) {
  if (nodes_[slot].tick != kNever) Unlink(slot);
}

void FlowTimers::Unlink(uint32_t slot) {
  Node& node = nodes_[slot];
  const size_t bucket = node.tick % kBuckets;
  if (node.next != kNone) nodes_[node.next].previous = node.previous;
  if (node.previous != kNone) {
    nodes_[node.previous].next = node.next;
  } else {
    heads_[bucket] = node.next;
    if (node.next == kNone) {
      bits_[bucket / 64] &= ~(uint64_t{1} << bucket % 64);
      if (bits_[bucket / 64] == 0) words_ &= ~(uint64_t{1} << bucket / 64);
    }
  }
  node = {};
}

uint64_t FlowTimers::NextTick() const {
  if (words_ == 0) return kNever;
  const size_t from = now_tick_ % kBuckets;
  // The rest of the first word, then whole words, round to the first again.
  size_t word = from / 64;
  uint64_t bits = bits_[word] & ~uint64_t{0} << from % 64;
  if (bits == 0) {
    const uint64_t turned = std::rotr(words_, static_cast<int>(word + 1));
    word = (word + 1 + static_cast<size_t>(std::countr_zero(turned))) % kWords;
    bits = bits_[word];
  }
  const size_t bucket = word * 64 + static_cast<size_t>(std::countr_zero(bits));
  return now_tick_ + (bucket - from) % kBuckets;
}

uint32_t FlowTimers::PopDue(uint64_t now_us) {
  const uint64_t now_tick = now_us / kTickUs;
  // More than a turn behind, as at the first call of a host that is long up:
  // all that is armed is due, whatever turn it was armed for.
  if (now_tick >= kBuckets) {
    now_tick_ = std::max(now_tick_, now_tick - (kBuckets - 1));
  }
  const uint64_t tick = NextTick();
  if (tick > now_tick) {
    now_tick_ = std::max(now_tick_, now_tick);
    return kNone;
  }
  now_tick_ = tick;
  const uint32_t slot = heads_[tick % kBuckets];
  Unlink(slot);
  return slot;
}

uint64_t FlowTimers::NextDeadline() const {
  const uint64_t tick = NextTick();
  return tick == kNever ? kNever : tick * kTickUs;
}

}  // namespace lwt
