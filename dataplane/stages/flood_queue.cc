// Keeps packets for many until they are copied, each source within its bounds.
#include "dataplane/stages/flood_queue.h"

#include <algorithm>

namespace lwt {
namespace {

constexpr uint64_t kSecondUs = 1'000'000;

// Takes one of `at_once`, which come back `per_second`.
bool TakeOne(uint64_t& until_us, uint64_t at_once, uint64_t per_second,
             uint64_t now_us) {
  const uint64_t each_us = kSecondUs / per_second;
  const uint64_t from_us = std::max(until_us, now_us);
  if (from_us - now_us > (at_once - 1) * each_us) return false;
  until_us = from_us + each_us;
  return true;
}

}  // namespace

FloodQueue::FloodQueue(uint32_t sources)
    : sent_until_us_(sources == 0 ? 0 : sources + 1) {}

FloodQueue::~FloodQueue() {
  while (!empty()) rte_pktmbuf_free(Remove(0).packet);
}

bool FloodQueue::Admit(PeerIndex source, uint64_t now_us) {
  return source.value < sent_until_us_.size() &&
         TakeOne(sent_until_us_[source.value], kPacketsAtOnce,
                 kPacketsPerSecond, now_us);
}

size_t FloodQueue::CountOf(PeerIndex source) const {
  return static_cast<size_t>(std::count_if(
      entries_.begin(), entries_.begin() + static_cast<ptrdiff_t>(size_),
      [source](const Entry& entry) { return entry.source == source; }));
}

FloodQueue::Entry FloodQueue::Remove(size_t at) {
  const Entry removed = entries_[at];
  std::copy(entries_.begin() + static_cast<ptrdiff_t>(at) + 1,
            entries_.begin() + static_cast<ptrdiff_t>(size_),
            entries_.begin() + static_cast<ptrdiff_t>(at));
  --size_;
  if (turn_ > at) --turn_;
  if (turn_ >= size_) turn_ = 0;
  return removed;
}

rte_mbuf* FloodQueue::Push(const Entry& entry) {
  const size_t own = CountOf(entry.source);
  if (own >= kMostOfSource) return entry.packet;
  rte_mbuf* given_up = nullptr;
  if (size_ == kCapacity) {
    size_t largest = 0;
    size_t most = 0;
    for (size_t at = 0; at < size_; ++at) {
      const size_t count = CountOf(entries_[at].source);
      // The newest of those who have the most.
      if (count >= most) {
        most = count;
        largest = at;
      }
    }
    if (most <= own + 1) return entry.packet;
    given_up = Remove(largest).packet;
  }
  entries_[size_++] = entry;
  return given_up;
}

bool FloodQueue::MayCopy(uint64_t now_us) {
  return TakeOne(copied_until_us_, kCopiesAtOnce, kCopiesPerSecond, now_us);
}

rte_mbuf* FloodQueue::Pop() {
  copied_in_turn_ = 0;
  return Remove(turn_).packet;
}

void FloodQueue::NextTurn() {
  if (++copied_in_turn_ < kCopiesInTurn) return;
  copied_in_turn_ = 0;
  turn_ = turn_ + 1 < size_ ? turn_ + 1 : 0;
}

}  // namespace lwt
