// What the kernel says of a device's features, and what it makes of a wish.
#include "control/host/guard/offload.h"
#include "tests/unit/control/host/netns.h"

namespace lwt::host {
namespace {

constexpr std::string_view kSegmentation = "tx-tcp-segmentation";

class OffloadTest : public testing::Test {
 protected:
  void SetUp() override { Shell("ip link add one type veth peer name two"); }

  static bool IsOn(std::string_view feature) {
    const auto state = ReadFeature("one", feature);
    EXPECT_TRUE(state.ok()) << state.status();
    return state.ok() && state->has_value() && (*state)->active;
  }
  // The same, as ethtool(8) tells it.
  static bool EthtoolSaysOn(std::string_view feature) {
    return OutputOf("ethtool -k one").find(std::string(feature) + ": on") !=
           std::string::npos;
  }

 private:
  const Netns netns_;
  const InNetns in_{netns_};
};

TEST_F(OffloadTest, AFeatureIsSwitchedAndReadAsEthtoolReadsIt) {
  EXPECT_EQ(IsOn(kSegmentation), EthtoolSaysOn(kSegmentation));
  ASSERT_TRUE(IsOn(kSegmentation));
  ASSERT_TRUE(SetFeature("one", kSegmentation, false).ok());
  EXPECT_FALSE(IsOn(kSegmentation));
  EXPECT_FALSE(EthtoolSaysOn(kSegmentation));
  EXPECT_TRUE(SetFeature("one", kSegmentation, false).ok()) << "off already";
  ASSERT_TRUE(SetFeature("one", kSegmentation, true).ok());
  EXPECT_TRUE(IsOn(kSegmentation));
}

// Its bit is one of many: those beside it stay.
TEST_F(OffloadTest, OthersStayAsTheyWere) {
  const std::string before = OutputOf("ethtool -k one");
  ASSERT_TRUE(SetFeature("one", "tx-udp-segmentation", false).ok());
  EXPECT_NE(OutputOf("ethtool -k one"), before);
  ASSERT_TRUE(SetFeature("one", "tx-udp-segmentation", true).ok());
  EXPECT_EQ(OutputOf("ethtool -k one"), before);
}

TEST_F(OffloadTest, TheDriversWordCountsAgainstAWish) {
  // A veth does all checksums or none: the kernel calls this one fixed.
  const auto fixed = ReadFeature("one", "tx-checksum-ipv4");
  ASSERT_TRUE(fixed.ok()) << fixed.status();
  ASSERT_TRUE(fixed->has_value());
  EXPECT_FALSE((*fixed)->active);
  EXPECT_FALSE((*fixed)->changeable);
  const absl::Status refused = SetFeature("one", "tx-checksum-ipv4", true);
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_EQ(refused.message(),
            "switching tx-checksum-ipv4 on on interface one: the driver "
            "refuses");
  EXPECT_FALSE(IsOn("tx-checksum-ipv4"));
}

// Where another feature excludes it the wish waits, and that is no failure of
// who puts back a state that was: switching on, it is the state there was.
TEST_F(OffloadTest, AWishThatWaitsIsGrantedLater) {
  ASSERT_TRUE(SetFeature("one", "tx-checksum-ip-generic", false).ok());
  EXPECT_FALSE(IsOn(kSegmentation)) << "it needs checksums";
  EXPECT_TRUE(SetFeature("one", kSegmentation, true).ok());
  EXPECT_FALSE(IsOn(kSegmentation));
  const auto waiting = ReadFeature("one", kSegmentation);
  ASSERT_TRUE(waiting.ok() && waiting->has_value());
  EXPECT_TRUE((*waiting)->requested);
  ASSERT_TRUE(SetFeature("one", "tx-checksum-ip-generic", true).ok());
  EXPECT_TRUE(IsOn(kSegmentation));
}

TEST_F(OffloadTest, WhatIsNotThereIsNamed) {
  const auto unknown = ReadFeature("one", "no-such-feature");
  ASSERT_TRUE(unknown.ok()) << unknown.status();
  EXPECT_FALSE(unknown->has_value());
  const absl::Status refused = SetFeature("one", "no-such-feature", true);
  EXPECT_TRUE(absl::IsNotFound(refused));
  EXPECT_EQ(refused.message(),
            "switching no-such-feature on on interface one: no such feature");
  for (const std::string name :
       {"none", "", "a-name-longer-than-a-name-may-be"}) {
    const auto missing = ReadFeature(name, kSegmentation);
    EXPECT_FALSE(missing.ok()) << name;
    EXPECT_NE(missing.status().message().find("interface " + name),
              absl::string_view::npos)
        << missing.status();
    EXPECT_FALSE(SetFeature(name, kSegmentation, true).ok()) << name;
  }
}

// A prefix of a name is another name.
TEST_F(OffloadTest, NamesAreWhole) {
  for (const std::string_view part :
       {"tx-tcp", "tx-tcp-segmentation-", "TX-TCP-SEGMENTATION"}) {
    const auto state = ReadFeature("one", part);
    ASSERT_TRUE(state.ok()) << state.status();
    EXPECT_FALSE(state->has_value()) << part;
  }
}

}  // namespace
}  // namespace lwt::host
