#include "drivers/ports/ring.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <errno.h>
#include <rte_errno.h>
#include <rte_ring.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstring>

namespace lwt {
namespace {

constexpr size_t kLongestRingName = 20;

// One direction: a ring and the event that tells its reader of frames. Shared
// by the two ports; freed, with the frames in it, by the last.
class Pipe {
 public:
  Pipe(rte_ring* ring, int event_fd) : ring_(ring), event_fd_(event_fd) {}
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    rte_mbuf* frame = nullptr;
    while (rte_ring_dequeue(ring_, reinterpret_cast<void**>(&frame)) == 0) {
      rte_pktmbuf_free(frame);
    }
    rte_ring_free(ring_);
    if (event_fd_ >= 0) close(event_fd_);
  }

  int event_fd() const { return event_fd_; }

  uint16_t Write(std::span<rte_mbuf*> frames) {
    const unsigned written = rte_ring_sp_enqueue_burst(
        ring_, reinterpret_cast<void**>(frames.data()),
        static_cast<unsigned>(frames.size()), nullptr);
    if (event_fd_ >= 0 && written > 0 && !signaled_.exchange(true)) {
      const uint64_t one = 1;
      // The counter is 0 or 1, so it is never full.
      [[maybe_unused]] const ssize_t n = write(event_fd_, &one, sizeof(one));
    }
    return static_cast<uint16_t>(written);
  }

  // When the ring is found empty the event is taken back, and the ring looked
  // at again, since the writer may have written in between.
  uint16_t Read(std::span<rte_mbuf*> frames) {
    const uint16_t count = Dequeue(frames);
    if (count == frames.size() || event_fd_ < 0 || !signaled_.load()) {
      return count;
    }
    uint64_t events = 0;
    [[maybe_unused]] const ssize_t n = read(event_fd_, &events, sizeof(events));
    signaled_.store(false);
    return static_cast<uint16_t>(count + Dequeue(frames.subspan(count)));
  }

 private:
  uint16_t Dequeue(std::span<rte_mbuf*> frames) {
    return static_cast<uint16_t>(rte_ring_sc_dequeue_burst(
        ring_, reinterpret_cast<void**>(frames.data()),
        static_cast<unsigned>(frames.size()), nullptr));
  }

  rte_ring* const ring_;
  const int event_fd_;
  std::atomic<bool> signaled_ = false;
};

bool IsKept(const rte_mbuf* frame) {
  for (; frame != nullptr; frame = frame->next) {
    if (rte_mbuf_refcnt_read(frame) > 1) return true;
  }
  return false;
}

// A frame of the same parts in buffers of its own; null when there are none.
rte_mbuf* CopyOf(const rte_mbuf* frame) {
  rte_mbuf* head = nullptr;
  rte_mbuf* tail = nullptr;
  for (const rte_mbuf* part = frame; part != nullptr; part = part->next) {
    rte_mbuf* const copy = rte_pktmbuf_alloc(part->pool);
    if (copy == nullptr) {
      rte_pktmbuf_free(head);
      return nullptr;
    }
    copy->data_off = part->data_off;
    copy->data_len = part->data_len;
    std::memcpy(rte_pktmbuf_mtod(copy, void*),
                rte_pktmbuf_mtod(part, const void*), part->data_len);
    (head == nullptr ? head : tail->next) = copy;
    tail = copy;
  }
  head->nb_segs = frame->nb_segs;
  head->pkt_len = frame->pkt_len;
  head->ol_flags = frame->ol_flags;
  head->packet_type = frame->packet_type;
  head->tx_offload = frame->tx_offload;
  return head;
}

class RingPort final : public Port {
 public:
  RingPort(PortInfo info, bool copies_kept, std::shared_ptr<Pipe> in,
           std::shared_ptr<Pipe> out)
      : Port(std::move(info)),
        copies_kept_(copies_kept),
        in_(std::move(in)),
        out_(std::move(out)) {}

  uint16_t Receive(std::span<rte_mbuf*> frames) override {
    const uint16_t count = in_->Read(frames);
    for (rte_mbuf* frame : frames.first(count)) {
      frame->l2_len = info().link_header_size;
      frame->port = 0;
    }
    return count;
  }
  uint16_t Transmit(std::span<rte_mbuf*> frames) override {
    if (copies_kept_) {
      for (rte_mbuf*& frame : frames) {
        if (!IsKept(frame)) continue;
        rte_mbuf* const copy = CopyOf(frame);
        if (copy == nullptr) {
          frames = frames.first(static_cast<size_t>(&frame - frames.data()));
          break;
        }
        rte_pktmbuf_free(std::exchange(frame, copy));
      }
    }
    return out_->Write(frames);
  }
  int wait_fd() const override { return in_->event_fd(); }

 private:
  const bool copies_kept_;
  const std::shared_ptr<Pipe> in_;
  const std::shared_ptr<Pipe> out_;
};

absl::StatusOr<std::shared_ptr<Pipe>> MakePipe(const RingSpec& spec,
                                               const char* suffix) {
  const std::string name = absl::StrCat(spec.name, suffix);
  rte_ring* ring =
      rte_ring_create(name.c_str(), spec.size, SOCKET_ID_ANY,
                      RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
  if (ring == nullptr) {
    return absl::ErrnoToStatus(rte_errno,
                               absl::StrCat("cannot make ring ", name));
  }
  int event_fd = -1;
  if (spec.wait_fds) {
    event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event_fd < 0) {
      const int error = errno;
      rte_ring_free(ring);
      return absl::ErrnoToStatus(error,
                                 absl::StrCat("cannot watch ring ", name));
    }
  }
  return std::make_shared<Pipe>(ring, event_fd);
}

}  // namespace

absl::StatusOr<std::pair<std::unique_ptr<Port>, std::unique_ptr<Port>>>
OpenRingPair(const RingSpec& spec) {
  if (spec.name.empty() || spec.name.size() > kLongestRingName) {
    return absl::InvalidArgumentError(
        absl::StrCat("ring name \"", spec.name, "\" is not 1 to ",
                     kLongestRingName, " characters long"));
  }
  absl::StatusOr<std::shared_ptr<Pipe>> there = MakePipe(spec, ":there");
  if (!there.ok()) return there.status();
  absl::StatusOr<std::shared_ptr<Pipe>> back = MakePipe(spec, ":back");
  if (!back.ok()) return back.status();
  PortInfo info;
  info.driver = "ring";
  info.device = spec.name;
  info.link_header_size = spec.link_header_size;
  info.mtu = spec.mtu;
  info.segments = spec.segments;
  return std::pair<std::unique_ptr<Port>, std::unique_ptr<Port>>(
      std::make_unique<RingPort>(info, spec.copies_kept, *there, *back),
      std::make_unique<RingPort>(info, spec.copies_kept, *back, *there));
}

}  // namespace lwt
