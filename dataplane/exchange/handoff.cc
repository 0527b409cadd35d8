#include "dataplane/exchange/handoff.h"

#include <algorithm>
#include <bit>

namespace lwt {
namespace {

constexpr Handoff::Road kRoads[] = {Handoff::Road::kFrames,
                                    Handoff::Road::kPackets};

bool IsLarge(const Frame& frame) {
  return frame.mbuf != nullptr && frame.mbuf->buf_len > kLargeBuffer;
}

}  // namespace

Handoff::Handoff(uint32_t count)
    : count_(count),
      max_large_(std::max(kMaxLarge / std::max(count - 1, 1u), 1u)),
      rings_(std::size(kRoads) * count * count),
      ends_(count) {}

std::unique_ptr<Handoff> Handoff::Create(const std::string& name,
                                         uint32_t count) {
  std::unique_ptr<Handoff> made(new Handoff(count));
  for (const Road road : kRoads) {
    for (uint32_t to = 0; to < count; ++to) {
      for (uint32_t from = 0; from < count; ++from) {
        if (from == to) continue;
        const size_t at =
            made->RingOf(road, WorkerIndex{from}, WorkerIndex{to});
        SpscRing<Frame>& ring = made->rings_[at].frames;
        ring = {name + "-h" + std::to_string(at), kSlots};
        if (!ring.valid()) return nullptr;
      }
    }
  }
  return made;
}

Handoff::~Handoff() {
  for (Ring& ring : rings_) {
    Frame frame;
    while (ring.frames.valid() && ring.frames.Take(frame)) {
      rte_pktmbuf_free(frame.mbuf);
    }
  }
}

bool Handoff::Give(Road road, WorkerIndex from, WorkerIndex to,
                   const Frame& frame) {
  ends_[from.value].given_to |= 1u << to.value;
  Ring& ring = rings_[RingOf(road, from, to)];
  if (!IsLarge(frame)) return ring.frames.Put(frame);
  if (ring.large.load(std::memory_order_relaxed) >= max_large_) return false;
  // Before the frame is there to be taken, so that the count is never too low.
  ring.large.fetch_add(1, std::memory_order_relaxed);
  if (ring.frames.Put(frame)) return true;
  ring.large.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

void Handoff::WakeReceivers(WorkerIndex from) {
  for (uint32_t left = ends_[from.value].given_to; left != 0;
       left &= left - 1) {
    ends_[static_cast<uint32_t>(std::countr_zero(left))].mailbox->WakeWorker();
  }
  ends_[from.value].given_to = 0;
}

size_t Handoff::Take(Road road, WorkerIndex to, std::span<Frame> frames) {
  uint32_t& next = ends_[to.value].next[static_cast<size_t>(road)];
  size_t taken = 0;
  for (uint32_t i = 0; i < count_ && taken < frames.size(); ++i) {
    const WorkerIndex from{next};
    next = (next + 1) % count_;
    if (from == to) continue;
    Ring& ring = rings_[RingOf(road, from, to)];
    const std::span<Frame> some = frames.subspan(taken);
    const size_t count = ring.frames.Take(some);
    for (const Frame& frame : some.first(count)) {
      if (IsLarge(frame)) ring.large.fetch_sub(1, std::memory_order_relaxed);
    }
    taken += count;
  }
  return taken;
}

bool Handoff::HasFor(WorkerIndex to) const {
  for (const Road road : kRoads) {
    for (WorkerIndex from{0}; from.value < count_; ++from.value) {
      if (from != to && !rings_[RingOf(road, from, to)].frames.empty()) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace lwt
