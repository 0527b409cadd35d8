#include "dataplane/exchange/handoff.h"

#include <bit>

namespace lwt {
namespace {

constexpr Handoff::Road kRoads[] = {Handoff::Road::kFrames,
                                    Handoff::Road::kPackets};

}  // namespace

std::unique_ptr<Handoff> Handoff::Create(const std::string& name,
                                         uint32_t count) {
  std::unique_ptr<Handoff> made(new Handoff(count));
  made->rings_.resize(std::size(kRoads) * count * count);
  for (const Road road : kRoads) {
    for (uint32_t to = 0; to < count; ++to) {
      for (uint32_t from = 0; from < count; ++from) {
        if (from == to) continue;
        const size_t at = made->RingOf(road, from, to);
        made->rings_[at] = {name + "-h" + std::to_string(at), kSlots};
        if (!made->rings_[at].valid()) return nullptr;
      }
    }
  }
  return made;
}

Handoff::~Handoff() {
  for (SpscRing<Frame>& ring : rings_) {
    Frame frame;
    while (ring.valid() && ring.Take(frame)) rte_pktmbuf_free(frame.mbuf);
  }
}

bool Handoff::Give(Road road, uint32_t from, uint32_t to, const Frame& frame) {
  ends_[from].given_to |= 1u << to;
  return rings_[RingOf(road, from, to)].Put(frame);
}

void Handoff::WakeReceivers(uint32_t from) {
  for (uint32_t left = ends_[from].given_to; left != 0; left &= left - 1) {
    ends_[static_cast<uint32_t>(std::countr_zero(left))].mailbox->WakeWorker();
  }
  ends_[from].given_to = 0;
}

size_t Handoff::Take(Road road, uint32_t to, std::span<Frame> frames) {
  uint32_t& next = ends_[to].next[static_cast<size_t>(road)];
  size_t taken = 0;
  for (uint32_t i = 0; i < count_ && taken < frames.size(); ++i) {
    const uint32_t from = next;
    next = (next + 1) % count_;
    if (from == to) continue;
    taken += rings_[RingOf(road, from, to)].Take(frames.subspan(taken));
  }
  return taken;
}

bool Handoff::HasFor(uint32_t to) const {
  for (const Road road : kRoads) {
    for (uint32_t from = 0; from < count_; ++from) {
      if (from != to && !rings_[RingOf(road, from, to)].empty()) return true;
    }
  }
  return false;
}

}  // namespace lwt
