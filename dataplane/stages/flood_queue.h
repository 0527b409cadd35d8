// Packets for many that wait to be copied to each peer: multicast and
// broadcasts, where `multicast = "hub"`.
//
// Bounded in each way, so that no source costs another its share: how many
// packets of a source are taken in a second, how many of it wait, and how many
// copies all of them make in a second. Where the place is full, a source that
// has several waiting gives one up for one that has fewer. Allocates at
// construction only, and then one word for each source. Owned by one worker.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/burst.h"
#include "dataplane/names.h"

namespace lwt {

class FloodQueue {
 public:
  static constexpr size_t kCapacity = 32;
  static constexpr size_t kMostOfSource = 4;
  // Of each source, at once and in a second.
  static constexpr uint64_t kPacketsAtOnce = 50;
  static constexpr uint64_t kPacketsPerSecond = 50;
  // Of all together.
  static constexpr uint64_t kCopiesAtOnce = 2000;
  static constexpr uint64_t kCopiesPerSecond = 20'000;
  // Of one packet, before it is another's turn.
  static constexpr uint32_t kCopiesInTurn = 16;

  struct Entry {
    rte_mbuf* packet = nullptr;
    PeerIndex source;        // a peer, or own_host()
    PeerIndex next_peer{0};  // those before have their copy
    InnerChecksum checksum = InnerChecksum::kUnknown;
  };

  // 0 sources: nothing is ever taken.
  explicit FloodQueue(uint32_t sources);
  ~FloodQueue();
  FloodQueue(const FloodQueue&) = delete;
  FloodQueue& operator=(const FloodQueue&) = delete;

  bool enabled() const { return !sent_until_us_.empty(); }
  bool empty() const { return size_ == 0; }
  // This host as a source: beyond all peers.
  PeerIndex own_host() const {
    return {static_cast<uint32_t>(sent_until_us_.size()) - 1};
  }

  // Whether a packet of the source may wait now; counts it.
  bool Admit(PeerIndex source, uint64_t now_us);
  // Takes the reference. Returns the packet that has to give way, if any: the
  // new one, or one of who has more of them waiting.
  rte_mbuf* Push(const Entry& entry);

  // Whose turn it is; only where not empty().
  Entry& front() { return entries_[turn_]; }
  // A copy of the front may be made now; counts it.
  bool MayCopy(uint64_t now_us);
  // The front has all its copies: gives the reference back.
  rte_mbuf* Pop();
  void NextTurn();

 private:
  size_t CountOf(PeerIndex source) const;
  Entry Remove(size_t at);

  std::array<Entry, kCapacity> entries_;  // oldest first
  size_t size_ = 0;
  size_t turn_ = 0;
  uint32_t copied_in_turn_ = 0;
  // Token buckets, as the time up to which what was taken is paid for.
  std::vector<uint64_t> sent_until_us_;
  uint64_t copied_until_us_ = 0;
};

}  // namespace lwt
