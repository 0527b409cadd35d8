// The sending half of the packet socket.
#include <errno.h>

#include <algorithm>

#include "drivers/headers.h"
#include "drivers/ports/af_packet.h"
#include "drivers/segmenter.h"

namespace lwt {

void AfPacketUplink::Describe(msghdr& message, const rte_mbuf* packet,
                              iovec* vectors, size_t count) const {
  message = {};
  message.msg_iov = vectors;
  message.msg_iovlen = count;
  if (info().link_header_size == 0) {
    const bool ipv6 = packet->data_len > 0 &&
                      wire::IsIpv6(rte_pktmbuf_mtod(packet, const uint8_t*));
    const sockaddr_ll& link = ipv6 ? ipv6_link_ : ipv4_link_;
    message.msg_name = const_cast<sockaddr_ll*>(&link);
    message.msg_namelen = sizeof(link);
  }
}

// Describes frames from the front, as many as fit, and returns how many.
uint16_t AfPacketUplink::PrepareTransmit(std::span<rte_mbuf*> frames) {
  size_t vector = 0;
  uint16_t count = 0;
  for (const rte_mbuf* frame : frames) {
    if (count == kAfPacketFrames || frame->nb_segs > kMaxChain ||
        vector + 1 + frame->nb_segs > kMaxTxVectors) {
      break;
    }
    iovec* const first = &tx_vectors_[vector];
    tx_headers_[count] = VnetHeaderOf(*frame);
    tx_vectors_[vector++] = {&tx_headers_[count], sizeof(VnetHeader)};
    for (const rte_mbuf* segment = frame; segment != nullptr;
         segment = segment->next) {
      tx_vectors_[vector++] = {rte_pktmbuf_mtod(segment, void*),
                               segment->data_len};
    }
    Describe(tx_messages_[count].msg_hdr, frame, first, 1u + frame->nb_segs);
    ++count;
  }
  return count;
}

// Sends a super-frame segment by segment. False when the queue took none of
// them; what it did not take after the first is lost, as on a wire.
bool AfPacketUplink::SendCut(const rte_mbuf& frame) {
  Segmenter segmenter(frame);
  Segmenter::Segment segment;
  VnetHeader plain;
  std::array<iovec, 2 + kMaxChain> vectors;
  bool first = true;
  while (segmenter.Next(segment)) {
    vectors[0] = {&plain, sizeof(plain)};
    vectors[1] = {segment.headers.data(), segment.header_size};
    std::copy_n(segment.payload.begin(), segment.payload_parts,
                vectors.begin() + 2);
    msghdr message;
    Describe(message, &frame, vectors.data(), 2 + segment.payload_parts);
    if (sendmsg(fd_, &message, MSG_DONTWAIT) < 0) {
      if (first && (errno == EAGAIN || errno == ENOBUFS)) return false;
      Count(refused_, 1);
    }
    first = false;
  }
  Count(first ? refused_ : cut_, 1);
  return true;
}

// What to do about the frame that the last call stopped at.
AfPacketUplink::Refusal AfPacketUplink::AfterError(const rte_mbuf* frame) {
  const int error = errno;
  if (error == EINTR) return Refusal::kAgain;
  if (error == EAGAIN) return Refusal::kQueueFull;
  if (error != ENETDOWN && error != ENXIO && IsSuperFrame(*frame)) {
    return SendCut(*frame) ? Refusal::kFrame : Refusal::kQueueFull;
  }
  if (error == ENOBUFS) return Refusal::kQueueFull;
  Count(refused_, 1);
  return Refusal::kFrame;
}

uint16_t AfPacketUplink::Transmit(std::span<rte_mbuf*> frames) {
  size_t done = 0;
  while (done < frames.size()) {
    const uint16_t prepared = PrepareTransmit(frames.subspan(done));
    int sent = 0;
    if (prepared > 0) {
      sent = sendmmsg(fd_, tx_messages_.data(), prepared, MSG_DONTWAIT);
    } else {
      errno = EMSGSIZE;
    }
    if (sent <= 0) {
      const Refusal refusal = AfterError(frames[done]);
      if (refusal == Refusal::kQueueFull) break;
      sent = refusal == Refusal::kFrame ? 1 : 0;
    }
    rte_pktmbuf_free_bulk(&frames[done], static_cast<unsigned>(sent));
    done += static_cast<size_t>(sent);
  }
  return static_cast<uint16_t>(done);
}

}  // namespace lwt
