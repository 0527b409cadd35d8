#include "drivers/ports/joined_uplink.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <deque>

#include "tests/unit/drivers/net_lab.h"

namespace lwt {
namespace {

// Gives what is put in, keeps what is sent, and counts how often it is read.
class FakeUplink final : public Uplink {
 public:
  explicit FakeUplink(uint8_t leg)
      : Uplink({.driver = "fake", .device = "fake"}, leg),
        leg_(leg),
        readable_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  ~FakeUplink() override {
    for (rte_mbuf* frame : in) rte_pktmbuf_free(frame);
    for (rte_mbuf* frame : out) rte_pktmbuf_free(frame);
  }

  void Put(rte_mbuf* frame) {
    frame->port = leg_;
    in.push_back(frame);
    eventfd_write(readable_.get(), 1);
  }
  absl::Status SetEndpoints(std::span<const Endpoint> taken) override {
    endpoints.assign(taken.begin(), taken.end());
    return absl::OkStatus();
  }
  uint16_t Receive(std::span<rte_mbuf*> frames) override {
    ++reads;
    uint16_t count = 0;
    while (count < frames.size() && !in.empty()) {
      frames[count++] = in.front();
      in.pop_front();
    }
    eventfd_t value = 0;
    if (in.empty()) eventfd_read(readable_.get(), &value);
    return count;
  }
  uint16_t Transmit(std::span<rte_mbuf*> frames) override {
    ++bursts;
    const size_t taken = std::min(frames.size(), room - out.size());
    out.insert(out.end(), frames.begin(),
               frames.begin() + static_cast<ptrdiff_t>(taken));
    return static_cast<uint16_t>(taken);
  }
  int wait_fd() const override { return readable_.get(); }
  PortReading ReadCounters() const override { return {.rx_missed = 3}; }

  std::deque<rte_mbuf*> in;
  std::vector<rte_mbuf*> out;
  std::vector<Endpoint> endpoints;
  size_t room = 100;
  int reads = 0;
  int bursts = 0;

 private:
  const uint8_t leg_;
  const ScopedFd readable_;
};

class JoinedUplinkTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    InitEal();
    if (pool_ == nullptr) pool_ = MakePool("joined-test", 1023, 512);
  }
  void SetUp() override {
    const std::array<JoinedUplink::Leg, 3> legs = {
        {{4, &first_}, {0, &second_}, {7, &third_}}};
    auto joined = JoinedUplink::Join(legs);
    ASSERT_TRUE(joined.ok()) << joined.status();
    joined_ = *std::move(joined);
  }
  static rte_mbuf* Frame(uint16_t port) {
    rte_mbuf* frame = MakeFrame(pool_, Bytes(60, 1));
    frame->port = port;
    return frame;
  }
  size_t Read(size_t most = 32) {
    std::vector<rte_mbuf*> frames(most);
    const uint16_t count = joined_->Receive(frames);
    rte_pktmbuf_free_bulk(frames.data(), count);
    return count;
  }
  bool Readable() {
    pollfd waiting = {joined_->wait_fd(), POLLIN, 0};
    return poll(&waiting, 1, 0) == 1;
  }

  static inline rte_mempool* pool_ = nullptr;
  FakeUplink first_{4};
  FakeUplink second_{0};
  FakeUplink third_{7};
  std::unique_ptr<JoinedUplink> joined_;
};

TEST_F(JoinedUplinkTest, FramesLeaveByTheLegThatTheyNameInTheirOrder) {
  std::array<rte_mbuf*, 6> frames = {Frame(0), Frame(4), Frame(0),
                                     Frame(7), Frame(4), Frame(0)};
  const std::vector<rte_mbuf*> expected = {frames[0], frames[2], frames[5]};
  EXPECT_EQ(joined_->Transmit(frames), 6);
  EXPECT_EQ(second_.out, expected);
  EXPECT_EQ(first_.out.size(), 2u);
  EXPECT_EQ(third_.out.size(), 1u);
  EXPECT_EQ(second_.bursts, 1) << "one call for all of a leg";
}

// Their link header is for a link that is gone: on another one it names nobody,
// or somebody else.
TEST_F(JoinedUplinkTest, FramesOfNoLegGoNowhereAndAreCounted) {
  const unsigned before = rte_mempool_avail_count(pool_);
  std::array<rte_mbuf*, 3> astray = {Frame(31), Frame(RTE_MBUF_PORT_INVALID),
                                     Frame(1)};
  EXPECT_EQ(joined_->Transmit(astray), 3);
  std::array<rte_mbuf*, 3> mixed = {Frame(1), Frame(7), Frame(31)};
  EXPECT_EQ(joined_->Transmit(mixed), 3);
  EXPECT_TRUE(first_.out.empty());
  EXPECT_EQ(third_.out.size(), 1u);
  EXPECT_EQ(joined_->ReadCounters().tx_astray, 5u);
  EXPECT_EQ(joined_->ReadOwn().tx_astray, 5u);
  EXPECT_EQ(rte_mempool_avail_count(pool_) + 1, before) << "they are let go";
}

TEST_F(JoinedUplinkTest, ALegWithoutRoomHoldsUpNoOther) {
  second_.room = 1;
  std::array<rte_mbuf*, 4> frames = {Frame(0), Frame(0), Frame(0), Frame(7)};
  const std::vector<rte_mbuf*> refused = {frames[1], frames[2]};
  const uint16_t taken = joined_->Transmit(frames);
  ASSERT_EQ(taken, 2);
  EXPECT_EQ(third_.out.size(), 1u);
  // They are the caller's to count and let go.
  EXPECT_EQ(std::vector<rte_mbuf*>(frames.begin() + taken, frames.end()),
            refused);
  rte_pktmbuf_free_bulk(frames.data() + taken, 2);
  EXPECT_EQ(joined_->ReadCounters().rx_missed, 9u) << "the sum of all";
}

TEST_F(JoinedUplinkTest, NoLegIsLeftOutWhereOneFillsEachBurst) {
  for (int i = 0; i < 600; ++i) first_.Put(Frame(4));
  third_.Put(Frame(7));
  for (int turn = 0; turn < 16 && !third_.in.empty(); ++turn) Read(8);
  EXPECT_TRUE(third_.in.empty());
  EXPECT_FALSE(first_.in.empty());
}

TEST_F(JoinedUplinkTest, QuietLegsAreReadInOneTurnOfEight) {
  Read();  // all have nothing
  for (int i = 0; i < 800; ++i) first_.Put(Frame(4));
  Read();
  const int before = third_.reads;
  for (int turn = 0; turn < 80; ++turn) ASSERT_EQ(Read(8), 8u);
  EXPECT_EQ(third_.reads - before, 10);
}

TEST_F(JoinedUplinkTest, ItPollsReadableWhileAnyLegHasSomething) {
  EXPECT_FALSE(Readable());
  third_.Put(Frame(7));
  EXPECT_TRUE(Readable());
  EXPECT_EQ(Read(), 1u);
  EXPECT_FALSE(Readable());
}

TEST_F(JoinedUplinkTest, AllLegsGetTheEndpoints) {
  const std::vector<Endpoint> endpoints = {*ParseEndpoint("10.0.0.1:9000")};
  ASSERT_TRUE(joined_->SetEndpoints(endpoints).ok());
  for (const FakeUplink* each : {&first_, &second_, &third_}) {
    EXPECT_EQ(each->endpoints, endpoints);
  }
}

TEST_F(JoinedUplinkTest, ANumberTooLargeIsRefused) {
  const std::array<JoinedUplink::Leg, 1> legs = {{{32, &first_}}};
  EXPECT_FALSE(JoinedUplink::Join(legs).ok());
}

}  // namespace
}  // namespace lwt
