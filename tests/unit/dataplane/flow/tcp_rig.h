// Two sets of outer flows joined by a simulated link with its own clock, for
// tests: delay, loss, reordering and duplication by seed.
//
// Every byte of a stream is a function of its offset, so any payload can be
// checked wherever it comes from. Every frame is parsed with its checksums.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/flow/outer_tcp.h"
#include "dataplane/tx_batch.h"
#include "dataplane/wire/frame_view.h"

namespace lwt::test {

// A pool of ordinary mbufs; starts EAL at the first call.
rte_mempool* PacketPool();

// Defaults, a secret of bytes `seed`, and that pool.
OuterTcp::Config RigConfig(uint8_t seed);
// Two proven flows, an arena of 1 MiB, a secret, and that pool.
OuterTcp::Config SmallConfig();

// In front of packets made by hand: Ethernet, from 02::2 to 02::1, IPv4.
inline constexpr uint8_t kLink[14] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0};

Endpoint At(const char* text);

// The byte of the stream at `offset`.
uint8_t StreamByte(uint64_t offset);

struct Frame {
  std::vector<uint8_t> bytes;

  // Aborts the test when the frame does not parse.
  wire::FrameView View() const;
};

// The bytes of a SYN or SYN-ACK of ours but its timestamp and checksum.
std::vector<uint8_t> WithoutClock(const Frame& frame);

// A record of stream bytes from `offset` on, or null when no mbuf is left.
rte_mbuf* StreamMbuf(uint64_t offset, uint16_t size);

// Takes the frames out of a batch, super-frames cut as on the wire.
std::vector<Frame> Drain(TxBatch& batch);

// Follows one flow from outside by the window rules of a stateful firewall
// (van Rooij 2000, as netfilter applies them).
class WindowChecker {
 public:
  // False for a segment that a strict firewall would call invalid.
  bool Look(const wire::FrameView& frame);

 private:
  struct Side {
    bool known = false;
    uint32_t end = 0;
    uint32_t max_end = 0;
    uint32_t max_window = 1;
    uint8_t scale = 0;
    bool scales = false;
  };
  std::map<uint16_t, Side> sides_;  // by source port
};

struct LinkConfig {
  uint64_t delay_us = 10'000;
  uint64_t jitter_us = 0;
  double loss = 0;
  double duplicate = 0;
  // Of frames that take longer, by so much, and are passed by those behind.
  double late = 0;
  uint64_t late_us = 1000;
  // What one frame keeps the link busy for; those behind it wait.
  uint64_t frame_us = 0;
  // Now and then nothing arrives for up to so long, as where who carries the
  // frames shares its core; then all does that has been due.
  uint64_t stall_us = 0;
};

class TcpRig {
 public:
  struct Side {
    std::unique_ptr<OuterTcp> tcp;
    FlowId flow;
    bool established = false;
    bool released = false;
    bool peer_closed = false;
    uint32_t hints = 0;
    uint32_t unanswered = 0;
    std::vector<OuterTcp::EventType> events;
    // Receiver: [begin, end) of what was delivered.
    std::map<uint64_t, uint64_t> delivered;
    uint64_t forward_seen = 0;
    // Sender: reports by the offset of their first byte.
    std::map<uint64_t, std::pair<uint64_t, uint64_t>> reports;
    uint64_t sent = 0;
  };

  TcpRig(const OuterTcp::Config& client, const OuterTcp::Config& hub,
         LinkConfig link, uint64_t seed);

  // Runs the handshake of TCP; false when it failed.
  bool Open(const char* from = "192.0.2.1:40000",
            const char* to = "192.0.2.2:9000");
  // Sends `size` stream bytes as one segment. False when the window is full.
  bool Send(Side& from, uint16_t size, bool report = false);
  // Sends stream bytes as a run of records of these sizes, of which it takes
  // the first ones that Sendable allows, and returns how many.
  size_t SendRun(Side& from, const std::vector<uint16_t>& sizes);
  // Sends `size` stream bytes with OuterTcp::SendStream.
  bool SendStream(Side& from, uint32_t size);
  // Runs the link and the timers up to `until_us`.
  void RunTo(uint64_t until_us);
  // Runs until `done`, for at most `limit_us`; false when time ran out.
  bool RunUntil(uint64_t limit_us, const std::function<bool()>& done);
  void FlushBoth();
  // Gives the hub a frame that the client never sent.
  void Inject(const wire::FrameView& frame);

  // Whether all that `from` sent arrived or was passed by its forward point.
  bool Complete(const Side& from) const;
  Side& Peer(const Side& side) { return &side == &client ? hub : client; }
  const Side& Peer(const Side& side) const {
    return &side == &client ? hub : client;
  }

  bool prove_hub = true;  // Open makes a proven flow of the hub's
  uint64_t now_us = 1'000'000;
  LinkConfig link;
  Side client;
  Side hub;
  // What the rig saw go wrong; empty when all is well.
  std::vector<std::string> faults;
  uint64_t frames_lost = 0;
  uint64_t frames_late = 0;
  // Sequence and ack number that the client sent last.
  std::pair<uint32_t, uint32_t> client_numbers;
  // Called for every frame as it is sent; false loses it.
  std::function<bool(const wire::FrameView&)> filter;
  // Called for every frame as it is sent, before the filter.
  std::function<void(const Side& from, const Frame&)> observer;

 private:
  struct Flying {
    Frame frame;
    bool to_hub;
  };

  void Transmit(Side& from);
  uint64_t ArrivalUs(bool to_hub);
  uint64_t BehindStall(uint64_t arrival_us);
  void Deliver(const Flying& flying);
  void TakePayload(Side& side, const OuterTcp::Received& received);
  void TakeEvents(Side& side);
  void CheckSent(Side& from, const wire::FrameView& view);
  void Fault(const char* what);

  std::mt19937_64 random_;
  const uint64_t stall_seed_;
  std::multimap<uint64_t, Flying> flying_;
  std::array<uint64_t, 2> link_busy_until_us_{};  // towards the hub: [1]
  WindowChecker checker_;
  std::map<uint16_t, uint32_t> last_ack_;
  TxBatch batch_;
};

}  // namespace lwt::test
