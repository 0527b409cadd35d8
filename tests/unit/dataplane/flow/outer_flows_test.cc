// The TCP outside is one transport of those that the interface lets be; what
// lacks a call that a worker makes is none.
#include "dataplane/flow/outer_flows.h"

#include <gtest/gtest.h>

#include "dataplane/flow/outer_tcp.h"

namespace lwt {
namespace {

static_assert(ReceivesFrames<OuterTcp> && SendsRecords<OuterTcp> &&
              TellsOfTheWay<OuterTcp> && RunsByTime<OuterTcp> &&
              HasLivesOfFlows<OuterTcp>);
static_assert(OuterFlows<OuterTcp>);
static_assert(PassesStreams<OuterTcp>);

// A transport of datagrams: no handshake of its own to wait for, no window but
// its pacing, no relay.
class DatagramFlows {
 public:
  enum class Verdict : uint8_t { kDropped, kPayload };
  struct Received {
    Verdict verdict = Verdict::kDropped;
    FlowId flow;
    LaneIndex user;
    uint64_t stream_offset = 0;
    std::span<const uint8_t> payload;
  };
  struct ConnectArgs {};
  struct Event {};
  struct FlowStats {};
  static constexpr uint16_t kHeadroom = 62;

  Received Receive(const wire::FrameView&, uint64_t, TxBatch&) { return {}; }
  void Accept(const Received&, uint64_t, TxBatch&) {}

  uint32_t Sendable(FlowId) { return 0; }
  uint32_t Window(FlowId) { return 0; }
  uint32_t Crowding(FlowId) { return 0; }
  uint32_t MaxPayload(FlowId) { return 0; }
  uint32_t FirstPart(FlowId, uint32_t size, uint64_t) { return size; }
  uint64_t SentBytes(FlowId) { return 0; }
  size_t EncapsulateRun(FlowId, std::span<rte_mbuf* const>, bool, uint64_t) {
    return 0;
  }
  bool Encapsulate(FlowId, rte_mbuf*, bool, uint64_t) { return false; }

  uint64_t ForwardPoint(FlowId) { return 0; }
  void OnForwardPoint(FlowId, uint64_t) {}
  const LineLoad* LoadOf(FlowId) { return nullptr; }
  uint32_t SearchSize(FlowId, bool, uint64_t) { return 0; }
  uint64_t SearchesLost(FlowId) { return 0; }
  bool OnTooBig(const wire::TooBig&) { return false; }

  void Flush(uint64_t, TxBatch&) {}
  void OnTimer(uint64_t, TxBatch&) {}
  uint64_t NextDeadline() const { return UINT64_MAX; }
  std::optional<Event> PopEvent() { return std::nullopt; }
  std::optional<FlowStats> Stats(FlowId) { return std::nullopt; }

  void SetListen(std::span<const Endpoint>) {}
  FlowId Connect(const ConnectArgs&, uint64_t, TxBatch&) { return kNullFlow; }
  bool SendStream(FlowId, std::span<const uint8_t>, uint64_t, TxBatch&) {
    return false;
  }
  bool SetUser(FlowId, LaneIndex, PeerIndex) { return false; }
  void SetLink(FlowId, const wire::LinkHeader&) {}
  bool IsOpen(FlowId) { return false; }
  void Close(FlowId, uint64_t) {}
  void Release(FlowId) {}
  void SetPort(uint16_t, bool, uint64_t) {}
  void FollowLinkMtu(uint16_t, const LegMtus&, uint64_t) {}
};

static_assert(OuterFlows<DatagramFlows>);
static_assert(!PassesStreams<DatagramFlows>);

// The same without one call, or with one that answers otherwise.
class WithoutForwardPoint : public DatagramFlows {
  using DatagramFlows::ForwardPoint;
};
class WithAnotherWindow : public DatagramFlows {
 public:
  int Sendable(FlowId) { return 0; }
};
static_assert(!OuterFlows<WithoutForwardPoint>);
static_assert(!OuterFlows<WithAnotherWindow>);
static_assert(!OuterFlows<int>);

TEST(OuterFlowsTest, EachGroupStandsByItself) {
  EXPECT_FALSE(TellsOfTheWay<WithoutForwardPoint>);
  EXPECT_TRUE(SendsRecords<WithoutForwardPoint>);
  EXPECT_FALSE(SendsRecords<WithAnotherWindow>);
  EXPECT_TRUE(TellsOfTheWay<WithAnotherWindow>);
}

}  // namespace
}  // namespace lwt
