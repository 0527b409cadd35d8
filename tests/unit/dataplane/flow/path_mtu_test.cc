// Paths that take less than both ends' links, without a word about it.
#include <gtest/gtest.h>

#include <optional>
#include <utility>
#include <vector>

#include "tests/unit/dataplane/flow/hand_written_peer.h"
#include "tests/unit/dataplane/flow/tcp_rig.h"

namespace lwt::test {
namespace {

constexpr uint64_t kSecond = 1'000'000;
// Of IPv4 with timestamps.
constexpr uint32_t kHeaders = 52;

class PathMtuTest : public testing::Test {
 protected:
  PathMtuTest() : rig_(RigConfig(1), RigConfig(2), LinkConfig{}, 7) {
    rig_.filter = [this](const wire::FrameView& frame) {
      const size_t size = frame.tcp.payload.size();
      largest_ = std::max(largest_, size);
      return size + kHeaders <= path_mtu_;
    };
  }

  // Records of these sizes each 10 ms; those larger than the flow takes go in
  // parts, as a worker sends them.
  void Traffic(uint64_t for_us, uint16_t size = 1448) {
    OuterTcp& tcp = *rig_.client.tcp;
    const uint64_t end = rig_.now_us + for_us;
    do {
      uint32_t left = size;
      bool first = true;
      while (left > 0) {
        const uint32_t most = tcp.MaxPayload(rig_.client.flow);
        uint32_t part = std::min(left, most);
        if (first && left > most) {
          part = tcp.FirstPart(rig_.client.flow, left, rig_.now_us);
        }
        first = false;
        if (!rig_.Send(rig_.client, static_cast<uint16_t>(part))) break;
        left -= part;
      }
      rig_.RunTo(std::min(end, rig_.now_us + 10'000));
    } while (rig_.now_us < end);
  }
  // Records that fit what the path is known to take, and, as a worker does, one
  // of padding where that is worth a try.
  void FittingTraffic(uint64_t for_us) {
    OuterTcp& tcp = *rig_.client.tcp;
    const uint64_t end = rig_.now_us + for_us;
    while (rig_.now_us < end) {
      const uint32_t search =
          tcp.SearchSize(rig_.client.flow, false, rig_.now_us);
      if (search != 0) {
        ++searches_;
        EXPECT_EQ(tcp.FirstPart(rig_.client.flow, search, rig_.now_us), search);
        rig_.Send(rig_.client, static_cast<uint16_t>(search));
      }
      rig_.Send(rig_.client, static_cast<uint16_t>(payload()));
      rig_.RunTo(std::min(end, rig_.now_us + 10'000));
    }
  }
  bool Completes(uint64_t within_us) {
    return rig_.RunUntil(within_us,
                         [this] { return rig_.Complete(rig_.client); });
  }
  uint32_t path_payload() { return path_mtu_ - kHeaders; }
  uint32_t payload() { return rig_.client.tcp->MaxPayload(rig_.client.flow); }
  uint64_t delivered() {
    uint64_t sum = 0;
    for (const auto& [begin, end] : rig_.hub.delivered) sum += end - begin;
    return sum;
  }

  TcpRig rig_;
  uint32_t path_mtu_ = 1500;
  size_t largest_ = 0;
  int searches_ = 0;
};

// The hub's first flight is of full segments: without this no tunnel ever came
// up where the path takes less.
TEST_F(PathMtuTest, AFirstFlightArrivesWhateverThePathTakes) {
  for (const uint32_t mtu : {1492, 1400, 1280, 1100, 600}) {
    TcpRig rig(RigConfig(1), RigConfig(2), LinkConfig{}, 7);
    rig.filter = [mtu](const wire::FrameView& frame) {
      return frame.tcp.payload.size() + kHeaders <= mtu;
    };
    ASSERT_TRUE(rig.Open());
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(rig.Send(rig.client, 1448));
    EXPECT_TRUE(rig.RunUntil((mtu >= 1280 ? 3 : 12) * kSecond, [&] {
      return rig.Complete(rig.client);
    })) << mtu;
    EXPECT_EQ(rig.client.forward_seen, 0u);
    EXPECT_TRUE(rig.faults.empty());
    uint64_t sum = 0;
    for (const auto& [begin, end] : rig.hub.delivered) sum += end - begin;
    EXPECT_EQ(sum, 3u * 1448) << mtu;
  }
}

TEST_F(PathMtuTest, FollowsAPathThatShrinksAndGrowsAgain) {
  ASSERT_TRUE(rig_.Open());
  Traffic(kSecond);
  EXPECT_EQ(payload(), 1448u);
  for (const uint32_t mtu : {1300u, 1500u, 600u, 1500u, 1420u, 1500u}) {
    path_mtu_ = mtu;
    // A black hole is found within 15 s, and what opens is used again.
    Traffic(15 * kSecond);
    EXPECT_LE(payload(), path_payload()) << mtu;
    const uint64_t before = delivered();
    const uint64_t from = rig_.client.sent;
    Traffic(30 * kSecond);
    ASSERT_TRUE(Completes(5 * kSecond));
    EXPECT_EQ(delivered() - before, rig_.client.sent - from)
        << "bytes were given up at " << mtu;
    if (mtu == 1500) {
      EXPECT_EQ(payload(), 1448u);
    } else {
      EXPECT_LE(payload(), path_payload()) << mtu;
      EXPECT_GE(payload() + 100, std::min(path_payload(), 1300u)) << mtu;
    }
  }
}

// Loss alone is no reason: full segments come through all the while.
TEST_F(PathMtuTest, LossDoesNotMakeSegmentsSmall) {
  ASSERT_TRUE(rig_.Open());
  Traffic(kSecond);
  rig_.link.loss = 0.1;
  Traffic(60 * kSecond);
  EXPECT_EQ(payload(), 1448u);
  EXPECT_EQ(rig_.client.tcp->totals().path_steps_down, 0u);
}

// Nor where a flow that once sent full segments has smaller ones now: those
// that come through are as large as the one that was lost.
TEST_F(PathMtuTest, LossDoesNotMakeSmallerOnesSmaller) {
  ASSERT_TRUE(rig_.Open());
  Traffic(kSecond);
  rig_.link.loss = 0.1;
  Traffic(60 * kSecond, 1200);
  EXPECT_EQ(rig_.client.tcp->totals().path_steps_down, 0u);
}

// The search costs a segment each time, sent again at once, and seldom.
TEST_F(PathMtuTest, TheSearchIsRare) {
  ASSERT_TRUE(rig_.Open());
  path_mtu_ = 1300;
  Traffic(10 * kSecond);
  uint64_t too_large = 0;
  rig_.filter = [&too_large](const wire::FrameView& frame) {
    const bool fits = frame.tcp.payload.size() + kHeaders <= 1300;
    if (!fits) ++too_large;
    return fits;
  };
  Traffic(120 * kSecond);
  // Each ten seconds, so that what opens is used within fifteen.
  EXPECT_GE(too_large, 1u);
  EXPECT_LE(too_large, 13u);
}

// Once the inner MTU has followed, no record is larger than what fits: without
// one of padding nobody would learn that the path has become wider.
TEST_F(PathMtuTest, GrowsAgainWhereAllRecordsFit) {
  ASSERT_TRUE(rig_.Open());
  Traffic(kSecond);
  path_mtu_ = 1300;
  Traffic(5 * kSecond);
  ASSERT_LE(payload(), path_payload());
  FittingTraffic(60 * kSecond);
  EXPECT_LE(payload(), path_payload());
  path_mtu_ = 1500;
  FittingTraffic(15 * kSecond);
  EXPECT_EQ(payload(), 1448u);
  searches_ = 0;
  FittingTraffic(30 * kSecond);
  EXPECT_EQ(searches_, 0) << "there is nothing more to find";
  EXPECT_GE(rig_.client.tcp->SearchesLost(rig_.client.flow), 5u);
  EXPECT_TRUE(Completes(5 * kSecond));
}

TEST_F(PathMtuTest, AnIdleFlowSearchesNothing) {
  ASSERT_TRUE(rig_.Open());
  Traffic(kSecond);
  path_mtu_ = 1300;
  FittingTraffic(20 * kSecond);
  OuterTcp& tcp = *rig_.client.tcp;
  int due = 0;
  for (int i = 0; i < 60; ++i) {
    rig_.Send(rig_.client, 100);
    rig_.RunTo(rig_.now_us + kSecond);
    const uint32_t search =
        tcp.SearchSize(rig_.client.flow, false, rig_.now_us);
    if (search == 0) continue;
    ++due;
    tcp.FirstPart(rig_.client.flow, search, rig_.now_us);
    rig_.Send(rig_.client, static_cast<uint16_t>(search));
  }
  EXPECT_LE(due, 1) << "of what it carried before";
}

// What it is asked to carry is refused for its size, so it sends next to
// nothing, and would stay as it is for good.
TEST_F(PathMtuTest, AFlowThatIsWantedForMoreSearchesThoughItIsIdle) {
  ASSERT_TRUE(rig_.Open());
  Traffic(kSecond);
  path_mtu_ = 1300;
  Traffic(5 * kSecond);
  ASSERT_LE(payload(), path_payload());
  path_mtu_ = 1500;
  OuterTcp& tcp = *rig_.client.tcp;
  for (int i = 0; i < 30 && payload() < path_payload(); ++i) {
    const uint32_t search = tcp.SearchSize(rig_.client.flow, true, rig_.now_us);
    if (search != 0) {
      tcp.FirstPart(rig_.client.flow, search, rig_.now_us);
      rig_.Send(rig_.client, static_cast<uint16_t>(search));
    }
    rig_.RunTo(rig_.now_us + kSecond / 2);
  }
  EXPECT_EQ(payload(), path_payload());
}

// Its acknowledgement comes later than a tail-loss probe would go, and sooner
// than a timeout.
TEST_F(PathMtuTest, ALoneSearchHasTheTimeOfATimeout) {
  ASSERT_TRUE(rig_.Open());
  Traffic(kSecond);
  path_mtu_ = 1300;
  Traffic(5 * kSecond);
  path_mtu_ = 1500;
  OuterTcp& tcp = *rig_.client.tcp;
  uint32_t search = 0;
  while (search == 0) {
    rig_.RunTo(rig_.now_us + kSecond / 10);
    search = tcp.SearchSize(rig_.client.flow, true, rig_.now_us);
  }
  const auto stats = tcp.Stats(rig_.client.flow);
  const uint64_t round_trip_us = stats->rto_us - 80'000;  // an ack may wait
  ASSERT_GT(round_trip_us, 3 * stats->srtt_us) << "later than the probe";
  rig_.link.delay_us = round_trip_us / 2;
  tcp.FirstPart(rig_.client.flow, search, rig_.now_us);
  rig_.Send(rig_.client, static_cast<uint16_t>(search));
  rig_.RunTo(rig_.now_us + kSecond);
  EXPECT_EQ(payload(), search);
}

// What a router would quote of the newest full segment.
class ToldTest : public PathMtuTest {
 protected:
  wire::TooBig Told(const wire::FrameView& lost, uint16_t mtu) const {
    return {.local = lost.source,
            .remote = lost.destination,
            .sequence = lost.tcp.seq.value(),
            .length = static_cast<uint32_t>(lost.tcp.payload.size()) + kHeaders,
            .mtu = mtu};
  }
  // From now on a router that takes `mtu` tells of what it drops.
  void Router(uint16_t mtu) {
    path_mtu_ = mtu;
    rig_.filter = [this](const wire::FrameView& frame) {
      if (frame.tcp.payload.size() + kHeaders <= path_mtu_) return true;
      told_.push_back(Told(frame, static_cast<uint16_t>(path_mtu_)));
      return false;
    };
  }
  void Hear() {
    for (const wire::TooBig& told : std::exchange(told_, {})) {
      rig_.client.tcp->OnTooBig(told);
    }
  }

  std::vector<wire::TooBig> told_;
};

TEST_F(ToldTest, TheSizeThatARouterTellsIsTakenAtTheFirstLoss) {
  ASSERT_TRUE(rig_.Open());
  Traffic(kSecond);
  Router(1337);
  const uint64_t began = rig_.now_us;
  while (payload() == 1448u && rig_.now_us < began + 5 * kSecond) {
    Traffic(10'000);
    Hear();
  }
  EXPECT_EQ(payload(), 1337u - kHeaders);
  EXPECT_LT(rig_.now_us, began + kSecond);
  EXPECT_EQ(rig_.client.tcp->totals().path_steps_down, 1u);
}

// RFC 5927: what comes through all the same was not too large.
TEST_F(ToldTest, ALieAboutWhatArrivesChangesNothing) {
  ASSERT_TRUE(rig_.Open());
  rig_.filter = [this](const wire::FrameView& frame) {
    if (frame.tcp.payload.size() > 1000) told_.push_back(Told(frame, 600));
    return true;
  };
  rig_.link.loss = 0.05;
  for (int i = 0; i < 3000; ++i) {
    Traffic(10'000);
    Hear();
  }
  EXPECT_EQ(payload(), 1448u);
  EXPECT_EQ(rig_.client.tcp->totals().path_steps_down, 0u);
}

TEST_F(ToldTest, OnlyWhatIsInFlightIsHeeded) {
  ASSERT_TRUE(rig_.Open());
  std::optional<wire::TooBig> told;
  rig_.filter = [&](const wire::FrameView& frame) {
    if (frame.tcp.payload.size() == 1448) told = Told(frame, 1300);
    return true;
  };
  Traffic(kSecond);
  OuterTcp& tcp = *rig_.client.tcp;
  ASSERT_TRUE(rig_.Send(rig_.client, 1448));
  rig_.RunTo(rig_.now_us + 100);
  ASSERT_TRUE(told);
  EXPECT_TRUE(tcp.OnTooBig(*told));
  wire::TooBig other = *told;
  other.sequence += 100'000;
  EXPECT_FALSE(tcp.OnTooBig(other)) << "not sent yet";
  other = *told;
  other.sequence -= 100'000;
  EXPECT_FALSE(tcp.OnTooBig(other)) << "acknowledged";
  other = *told;
  other.remote.port ^= 1;
  EXPECT_FALSE(tcp.OnTooBig(other)) << "no such flow";
  other = *told;
  other.mtu = 1500;
  EXPECT_FALSE(tcp.OnTooBig(other)) << "nothing new";
  other = *told;
  other.length = 1300;
  EXPECT_FALSE(tcp.OnTooBig(other)) << "it was not larger";
  rig_.RunTo(rig_.now_us + kSecond);
  EXPECT_FALSE(tcp.OnTooBig(*told)) << "all of it has arrived";
  EXPECT_EQ(payload(), 1448u);
}

TEST_F(ToldTest, NoRouterMakesSegmentsSmallerThanAnyPath) {
  ASSERT_TRUE(rig_.Open());
  Traffic(kSecond);
  rig_.filter = [this](const wire::FrameView& frame) {
    if (frame.tcp.payload.size() + kHeaders <= 1400) return true;
    told_.push_back(Told(frame, 68));
    return false;
  };
  for (int i = 0; i < 100; ++i) {
    Traffic(10'000);
    Hear();
  }
  EXPECT_GE(payload(), 600u - kHeaders);
  path_mtu_ = 1400;
}

// A line that mostly takes less than its link begins with that, and finds more.
TEST_F(PathMtuTest, BeginsAsSmallAsSuchLinesAre) {
  OuterTcp::Config config = RigConfig(1);
  config.first_path_mtu = 1291;
  TcpRig rig(config, RigConfig(2), LinkConfig{}, 7);
  size_t largest = 0;
  rig.filter = [&largest](const wire::FrameView& frame) {
    largest = std::max(largest, frame.tcp.payload.size());
    return true;
  };
  ASSERT_TRUE(rig.Open());
  OuterTcp& tcp = *rig.client.tcp;
  EXPECT_EQ(tcp.MaxPayload(rig.client.flow), 1291u - kHeaders);
  EXPECT_EQ(rig.hub.tcp->MaxPayload(rig.hub.flow), 1448u)
      << "the MSS says what the interface takes";
  for (int i = 0; i < 300; ++i) {
    const uint32_t search = tcp.SearchSize(rig.client.flow, false, rig.now_us);
    if (search != 0) {
      tcp.FirstPart(rig.client.flow, search, rig.now_us);
      rig.Send(rig.client, static_cast<uint16_t>(search));
    }
    rig.Send(rig.client, 1200);
    rig.RunTo(rig.now_us + 10'000);
  }
  EXPECT_EQ(tcp.MaxPayload(rig.client.flow), 1448u);
}

// `ip link set mtu`: what the link does not take needs no loss to be known.
TEST_F(PathMtuTest, FollowsTheLink) {
  ASSERT_TRUE(rig_.Open());
  Traffic(kSecond);
  OuterTcp& tcp = *rig_.client.tcp;
  tcp.FollowLinkMtu(1300, {}, rig_.now_us);
  EXPECT_EQ(payload(), 1300u - kHeaders);
  Traffic(kSecond / 2);  // what was under way
  largest_ = 0;
  Traffic(15 * kSecond);
  EXPECT_LE(largest_, 1300u - kHeaders) << "nothing larger is tried";
  tcp.FollowLinkMtu(1500, {}, rig_.now_us);
  FittingTraffic(15 * kSecond);
  EXPECT_EQ(payload(), 1448u);
  tcp.FollowLinkMtu(9000, {}, rig_.now_us);
  FittingTraffic(15 * kSecond);
  EXPECT_EQ(payload(), 1448u) << "what both MSS allow";
}

// Of several interfaces, what goes by one keeps to what that one takes.
TEST_F(PathMtuTest, FollowsTheLinkThatItGoesBy) {
  ASSERT_TRUE(rig_.Open());
  Traffic(kSecond);
  OuterTcp& tcp = *rig_.client.tcp;
  LegMtus legs{};
  legs[5] = 1300;
  tcp.FollowLinkMtu(1500, legs, rig_.now_us);
  EXPECT_EQ(payload(), 1448u) << "it is another one's";
  tcp.SetLink(rig_.client.flow, wire::LinkHeader::From(test::kLink, 5));
  EXPECT_EQ(payload(), 1300u - kHeaders) << "it went there";
  legs[5] = 1400;
  tcp.FollowLinkMtu(1500, legs, rig_.now_us);
  FittingTraffic(15 * kSecond);
  EXPECT_EQ(payload(), 1400u - kHeaders);
  legs[5] = 9000;
  tcp.FollowLinkMtu(1200, legs, rig_.now_us);
  EXPECT_EQ(payload(), 1200u - kHeaders) << "the first bounds all";
}

// While one segment is out to learn whether the path takes it, others of its
// size are not.
TEST_F(PathMtuTest, OneSegmentAtATimeIsTooLarge) {
  ASSERT_TRUE(rig_.Open());
  path_mtu_ = 1300;
  Traffic(kSecond / 2);
  ASSERT_EQ(payload(), 1228u);
  ASSERT_TRUE(rig_.RunUntil(5 * kSecond,
                            [this] { return rig_.Complete(rig_.client); }));
  rig_.RunTo(rig_.now_us + kSecond);
  OuterTcp& tcp = *rig_.client.tcp;
  tcp.SetPort(1500, /*segments=*/true, rig_.now_us);
  ASSERT_EQ(tcp.FirstPart(rig_.client.flow, 1448, rig_.now_us), 1448u);
  EXPECT_EQ(rig_.SendRun(rig_.client, {1448, 1448, 1448}), 1u);
  EXPECT_EQ(rig_.SendRun(rig_.client, {1448, 1448, 1448}), 0u);
  EXPECT_FALSE(rig_.Send(rig_.client, 1448));
  EXPECT_TRUE(rig_.Send(rig_.client, 1228));
  EXPECT_TRUE(Completes(5 * kSecond));
}

// All that was in flight at once is one sign of what the path takes, not a
// sign for each segment of it.
TEST_F(PathMtuTest, GoesNoFurtherDownThanThePath) {
  ASSERT_TRUE(rig_.Open());
  Traffic(kSecond);
  path_mtu_ = 1100;
  uint32_t least = payload();
  for (int i = 0; i < 500; ++i) {
    for (int j = 0; j < 4; ++j) Traffic(0);
    rig_.Send(rig_.client, 100);  // small ones come through
    Traffic(kSecond / 100);
    least = std::min(least, payload());
  }
  EXPECT_EQ(least, 954u);
  EXPECT_EQ(rig_.client.tcp->totals().path_steps_down, 2u);
}

// How small our own segments are says nothing of those that come: they are
// acknowledged as ever, every second one.
TEST_F(PathMtuTest, AcksAsOftenAsBefore) {
  ASSERT_TRUE(rig_.Open());
  const auto acks_of = [this] {
    uint64_t acks = 0;
    rig_.observer = [&](const TcpRig::Side& from, const Frame& frame) {
      const bool ours = &from == &rig_.client;
      if (ours && frame.View().tcp.payload.empty()) ++acks;
    };
    for (int i = 0; i < 100; ++i) {
      for (int j = 0; j < 4; ++j) {
        // A burst a piece, as a link would bring them.
        rig_.RunTo(rig_.now_us + 100);
        EXPECT_TRUE(rig_.Send(rig_.hub, 1448));
      }
      rig_.RunTo(rig_.now_us + 10'000);
    }
    rig_.observer = nullptr;
    return acks;
  };
  acks_of();  // the quick ones of the beginning
  const uint64_t before = acks_of();
  path_mtu_ = 600;
  Traffic(15 * kSecond);
  ASSERT_EQ(payload(), 548u);
  ASSERT_TRUE(Completes(5 * kSecond));
  rig_.filter = nullptr;
  EXPECT_LE(acks_of(), before + before / 10);
}

// What is relayed looks upwards as well.
TEST_F(PathMtuTest, AStreamGrowsAgain) {
  ASSERT_TRUE(rig_.Open());
  // Each 50 ms, of ten segments of what both ends' links take.
  const auto stream = [&](uint64_t for_us) {
    for (const uint64_t end = rig_.now_us + for_us; rig_.now_us < end;) {
      rig_.SendStream(rig_.client, 14480);
      rig_.RunTo(rig_.now_us + 50'000);
    }
  };
  path_mtu_ = 1300;
  stream(2 * kSecond);
  EXPECT_EQ(payload(), 1228u);
  path_mtu_ = 1500;
  stream(10 * kSecond);
  EXPECT_EQ(payload(), 1448u);
  EXPECT_TRUE(Completes(5 * kSecond));
}

// A prober that drops what comes sees what Linux with tcp_mtu_probing=1 sends.
TEST_F(PathMtuTest, ProbersSeeNoPartsBeforeAKernelsTime) {
  rig_.prove_hub = false;
  ASSERT_TRUE(rig_.Open());
  ASSERT_TRUE(rig_.hub.tcp->Splice(rig_.hub.flow));
  std::vector<size_t> sizes;
  rig_.filter = [&](const wire::FrameView& frame) {
    if (frame.source.port != 9000 || frame.tcp.payload.empty()) return true;
    sizes.push_back(frame.tcp.payload.size());
    return false;
  };
  ASSERT_TRUE(rig_.SendStream(rig_.hub, 1448));
  rig_.RunTo(rig_.now_us + 60 * kSecond);
  const auto part = std::find_if(sizes.begin(), sizes.end(),
                                 [](size_t size) { return size < 1448; });
  ASSERT_NE(part, sizes.end());
  // The segment, a tail-loss probe, and two timeouts.
  EXPECT_EQ(part - sizes.begin(), 4) << testing::PrintToString(sizes);
}

// Nor does a flow begin too large whose handshake the change falls into.
using HalfOpenPathTest = HandWrittenPeer;
TEST_F(HalfOpenPathTest, FollowsTheLink) {
  Give(Syn());
  const std::vector<Frame> answer = Drain(batch_);
  ASSERT_EQ(answer.size(), 1u);
  tcp_.FollowLinkMtu(1300, {}, now_us_);
  seq_ = seq_ + 1;
  ack_ = answer[0].View().tcp.seq + 1;
  Give(View(wire::kAck));
  const auto event = tcp_.PopEvent();
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(tcp_.MaxPayload(event->flow), 1300u - kHeaders);
}

}  // namespace
}  // namespace lwt::test
