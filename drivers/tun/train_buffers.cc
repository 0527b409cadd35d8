#include "drivers/tun/train_buffers.h"

#include <rte_memcpy.h>

#include <algorithm>
#include <utility>

#include "drivers/headers.h"
#include "drivers/packet_pool.h"

namespace lwt {
namespace {

constexpr size_t kMostPacket = 65535;
// Payload slots that a read names when the last packet was a single one. With
// header, first buffer and jumbo they are what the kernel takes without memory
// for the vectors (UIO_FASTIOV is 8).
constexpr size_t kFewSlots = 6;

}  // namespace

TrainBuffers::~TrainBuffers() {
  rte_pktmbuf_free_bulk(slots_.data(), static_cast<unsigned>(count_));
  rte_pktmbuf_free(jumbo_);
}

// As many as a packet of 64 KiB takes, while super-frames come.
size_t TrainBuffers::SlotsWanted() const {
  if (cut_.payload == 0) return 1;
  return super_before_ ? kMostPacket / cut_.payload + 1 : kFewSlots;
}

// False when there is not even one.
bool TrainBuffers::Fill(size_t wanted) {
  if (jumbo_ == nullptr) jumbo_ = rte_pktmbuf_alloc(jumbo_pool_);
  if (count_ < wanted) {
    const size_t missing = wanted - count_;
    std::array<rte_mbuf*, kMaxChain> fresh;
    if (rte_pktmbuf_alloc_bulk(small_, fresh.data(),
                               static_cast<unsigned>(missing)) == 0) {
      std::copy_n(fresh.data(), missing, &slots_[count_]);
      count_ = wanted;
    } else if (count_ == 0) {
      rte_mbuf* const one = rte_pktmbuf_alloc(small_);
      if (one != nullptr) slots_[count_++] = one;
    }
  }
  return jumbo_ != nullptr && count_ > 0;
}

std::span<const iovec> TrainBuffers::Arm() {
  const size_t wanted = SlotsWanted();
  if (!Fill(wanted)) return {};
  armed_ = std::min(wanted, count_);
  rte_mbuf* const first = Slot(0);
  first_room_ = cut_.payload == 0 ? rte_pktmbuf_tailroom(first)
                                  : size_t{cut_.headers} + cut_.payload;
  vectors_[0] = {&header_, sizeof(header_)};
  vectors_[1] = {rte_pktmbuf_mtod(first, void*), first_room_};
  size_t count = 2;
  for (size_t i = 1; i < armed_; ++i) {
    vectors_[count++] = {rte_pktmbuf_mtod_offset(Slot(i), void*, cut_.headers),
                         cut_.payload};
  }
  const size_t before = first_room_ + (armed_ - 1) * cut_.payload;
  if (before < jumbo_->buf_len) {
    vectors_[count++] = {static_cast<uint8_t*>(jumbo_->buf_addr) + before,
                         jumbo_->buf_len - before};
  }
  return {vectors_.data(), count};
}

// How the super-frame just read is to be cut; nothing where no chain can hold
// it so.
TrainBuffers::Cut TrainBuffers::CutOf(size_t size) {
  const size_t ip_size = header_.checksum_start;
  if (ip_size + wire::kTcpHeaderSize > std::min(size, first_room_)) return {};
  const auto* l4 = rte_pktmbuf_mtod_offset(Slot(0), const uint8_t*, ip_size);
  const size_t l4_size = header_.gso_type == kVnetGsoUdp
                             ? wire::kUdpHeaderSize
                             : (l4[wire::kTcpDataOffsetAt] >> 4) * size_t{4};
  const size_t headers = ip_size + l4_size;
  const size_t payload = header_.gso_size;
  const bool fits = headers <= kMaxChainHeaders && payload > 0 &&
                    headers + payload <= rte_pktmbuf_tailroom(Slot(0)) &&
                    kMostPacket / payload + 1 <= kMaxChain;
  if (!fits) return {};
  return {static_cast<uint16_t>(headers), static_cast<uint16_t>(payload)};
}

rte_mbuf* TrainBuffers::TakeFirst(size_t size) {
  rte_mbuf* const frame = Slot(0);
  --count_;
  frame->data_len = static_cast<uint16_t>(size);
  frame->pkt_len = static_cast<uint32_t>(size);
  return frame;
}

// Each segment lies in a buffer of its own already.
rte_mbuf* TrainBuffers::TakeChain(size_t size) {
  rte_mbuf* const head = TakeFirst(std::min(size, first_room_));
  rte_mbuf* tail = head;
  for (size_t left = size - head->data_len; left > 0;) {
    rte_mbuf* const part = Slot(0);
    --count_;
    const size_t bytes = std::min<size_t>(left, cut_.payload);
    part->data_off = static_cast<uint16_t>(part->data_off + cut_.headers);
    part->data_len = static_cast<uint16_t>(bytes);
    left -= bytes;
    tail->next = part;
    tail = part;
    ++head->nb_segs;
  }
  head->pkt_len = static_cast<uint32_t>(size);
  return head;
}

// Moves the parts together, in the first buffer or in front of the jumbo one.
rte_mbuf* TrainBuffers::Gather(size_t size) {
  const bool small = size <= rte_pktmbuf_tailroom(Slot(0));
  rte_mbuf* const frame = small ? Slot(0) : std::exchange(jumbo_, nullptr);
  if (!small) frame->data_off = 0;
  auto* const to = rte_pktmbuf_mtod(frame, uint8_t*);
  size_t done = 0;
  for (size_t i = 1; i <= armed_ && done < size; ++i) {
    const size_t bytes = std::min(size - done, vectors_[i].iov_len);
    const auto* const from = static_cast<const uint8_t*>(vectors_[i].iov_base);
    if (from != to + done) rte_memcpy(to + done, from, bytes);
    done += bytes;
  }
  // What went to the jumbo buffer lies where it has to be there.
  if (small && done < size) {
    rte_memcpy(to + done, static_cast<uint8_t*>(jumbo_->buf_addr) + done,
               size - done);
  }
  if (small) return TakeFirst(size);
  frame->data_len = static_cast<uint16_t>(size);
  frame->pkt_len = static_cast<uint32_t>(size);
  return frame;
}

rte_mbuf* TrainBuffers::Take(size_t size) {
  if (size > kMostPacket) return nullptr;
  super_before_ = header_.gso_type != kVnetNoGso;
  if (!super_before_) {
    return size <= first_room_ ? TakeFirst(size) : Gather(size);
  }
  const Cut cut = CutOf(size);
  const bool as_foreseen = cut.payload != 0 && cut.headers == cut_.headers &&
                           cut.payload == cut_.payload &&
                           size <= first_room_ + (armed_ - 1) * cut.payload;
  rte_mbuf* const frame = as_foreseen ? TakeChain(size) : Gather(size);
  if (cut.payload != 0) cut_ = cut;
  return frame;
}

}  // namespace lwt
