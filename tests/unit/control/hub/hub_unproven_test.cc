// Which unproven flow makes room for one more, alone and while a client joins.
#include "control/hub/hub_unproven.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "tests/unit/control/session/stranger.h"
#include "tests/unit/control/workers/recording_link.h"

namespace lwt::peer {
namespace {

IpAddress SourceAt(const std::string& text) { return *ParseIpAddress(text); }

class HubUnprovenTest : public testing::Test {
 protected:
  FlowId Add(const std::string& source) {
    const FlowId id{++last_id_};
    names_[&table_.Add(id, SourceAt(source))] = id;
    return id;
  }
  // As a hub does it; what had to go, kNullFlow where there was room.
  FlowId AddToFull(const std::string& source) {
    HubFlow* gone = table_.PushedOut(SourceAt(source));
    if (gone == nullptr) return kNullFlow;
    const FlowId found = names_.at(gone);
    table_.Remove(*gone);
    EXPECT_EQ(table_.Find(found), nullptr);
    Add(source);
    return found;
  }
  void Fill(const std::string& source) {
    while (table_.PushedOut(SourceAt(source)) == nullptr) Add(source);
  }

  RecordingLink link_;
  FlowOwners owners_{link_};
  FlowOwner hub_;
  HubUnproven table_{owners_, hub_};
  std::map<const HubFlow*, FlowId> names_;
  uint32_t last_id_ = 0;
};

TEST_F(HubUnprovenTest, NobodyGoesWhileThereIsRoom) {
  for (size_t i = 0; i < HubUnproven::kMaxFlows; ++i) {
    EXPECT_EQ(table_.PushedOut(SourceAt("192.0.2.1")), nullptr);
    Add("192.0.2.1");
  }
  EXPECT_NE(table_.PushedOut(SourceAt("192.0.2.1")), nullptr);
}

TEST_F(HubUnprovenTest, ANetworkThatFloodsTakesItsOwnPlaces) {
  const FlowId before = Add("198.51.100.7");
  const FlowId first = Add("203.0.113.1");
  Fill("203.0.113.2");
  // Whoever comes, the oldest of the flood goes, an older one elsewhere stays.
  EXPECT_EQ(AddToFull("192.0.2.1"), first);
  for (int i = 0; i < 3000; ++i) AddToFull("203.0.113.9");
  EXPECT_NE(table_.Find(before), nullptr);
}

TEST_F(HubUnprovenTest, OfEqualsTheOldestGoes) {
  std::vector<FlowId> flows;
  for (size_t i = 0; i < HubUnproven::kMaxFlows; ++i) {
    flows.push_back(Add("10." + std::to_string(i / 256) + "." +
                        std::to_string(i % 256) + ".1"));
  }
  EXPECT_EQ(AddToFull("192.0.2.1"), flows[0]);
  // The newcomer's network has the most, the new flow counted.
  EXPECT_EQ(AddToFull("10.0.9.200"), flows[9]);
}

TEST_F(HubUnprovenTest, NetworksOfIpv6Are56BitsLong) {
  const FlowId before = Add("2001:db8:1:100::1");
  const FlowId first = Add("2001:db8:2:100::1");
  Fill("2001:db8:2:1ff::2");
  EXPECT_EQ(AddToFull("2001:db8:3::1"), first);
  EXPECT_NE(table_.Find(before), nullptr);
}

TEST_F(HubUnprovenTest, AFlowIsOwnedWhileItIsHere) {
  const FlowId mine = Add("192.0.2.1");
  const FlowId taken = Add("192.0.2.2");
  EXPECT_EQ(owners_.flows(), 2u);
  FlowOwner another;
  owners_.OwnFlow(taken, another);
  table_.ForEach([&](HubFlow& flow) { table_.Remove(flow); });
  EXPECT_EQ(owners_.flows(), 1u) << "what was taken over";
  EXPECT_EQ(table_.Find(mine), nullptr);
}

TEST_F(HubUnprovenTest, PlacesComeBack) {
  Fill("203.0.113.1");
  table_.ForEach([&](HubFlow& flow) { table_.Remove(flow); });
  for (uint32_t id = 1; id <= last_id_; ++id) {
    EXPECT_EQ(table_.Find(FlowId{id}), nullptr);
  }
  const FlowId before = Add("203.0.113.1");
  Fill("198.51.100.1");
  AddToFull("192.0.2.1");
  EXPECT_NE(table_.Find(before), nullptr) << "a count was not given back";
}

// Connections open at the hub while the world runs.
class FloodTest : public testing::Test {
 protected:
  // `source(n)` is that of the n-th.
  template <typename Source>
  void Flood(uint64_t every_us, Source source) {
    net_.At(net_.now_us + every_us, [this, every_us, source] {
      Event event;
      event.kind = EventKind::kFlowUp;
      event.flow = FlowId::Of(1 + flooded_ % 60'000, 4000);
      event.local = At("192.0.2.1:9000");
      event.remote = {source(flooded_), 1024};
      ++flooded_;
      hub_.worker.events.push_back(event);
      Flood(every_us, source);
    });
  }
  bool JoinsWithin(uint64_t for_us) {
    return RunWorld(net_, hub_, {&client_}, for_us,
                    [this] { return client_.up(); });
  }

  loop::Log log_{loop::LogLevel::kError};
  FakeNet net_;
  TestHub hub_{net_, log_};
  TestClient client_{net_, hub_.worker, log_, "10.0.0.2/24"};
  uint32_t flooded_ = 0;
};

// All places are new after 10 ms, half of a client's round trip.
TEST_F(FloodTest, AClientComesInBesideANetworkThatFloods) {
  Flood(10, [](uint32_t) { return SourceAt("203.0.113.1"); });
  EXPECT_TRUE(JoinsWithin(2 * kSecond));
  EXPECT_GT(flooded_, 2 * HubUnproven::kMaxFlows);
}

// All places are new after 31 ms: time for a hello, not for a handshake.
TEST_F(FloodTest, AClientThatProvedTheKeyKeepsItsPlace) {
  Flood(30, [](uint32_t n) {
    IpAddress source = SourceAt("10.0.0.1");
    source.bytes[1] = static_cast<uint8_t>(n >> 8);
    source.bytes[2] = static_cast<uint8_t>(n);
    return source;
  });
  EXPECT_TRUE(JoinsWithin(2 * kSecond));
  EXPECT_GT(flooded_, HubUnproven::kMaxFlows);
}

// One who has the key fills all places with handshakes that it does not end.
TEST_F(FloodTest, WhoHoldsTheKeyDoesNotKeepOutThoseWhoHaveNotShownItYet) {
  handshake::ClientConfig config;
  config.psk = &hub_.keys.keys().front().psk;
  const handshake::StaticKey identity = handshake::GenerateStaticKey();
  config.identity = &identity;
  Stranger holder(net_, hub_);
  for (uint16_t i = 0; i < HubUnproven::kMaxFlows + 100; ++i) {
    IpAddress source = SourceAt("203.0.0.1");
    source.bytes[2] = static_cast<uint8_t>(i / 400);
    if (i == HubUnproven::kMaxFlows / 2) RunFor(net_, hub_, {}, kSecond);
    handshake::ClientHandshake half(config);
    holder.Say(holder.Connect({source, static_cast<uint16_t>(2000 + i)}),
               half.Start(hub_.host.UnixMs()));
  }
  hub_.Pump();
  Flood(30, [](uint32_t) { return SourceAt("203.0.0.1"); });
  EXPECT_TRUE(JoinsWithin(2 * kSecond));
}

}  // namespace
}  // namespace lwt::peer
