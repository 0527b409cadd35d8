// All types of control messages together: each has a number of its own, a body
// that reads as it was built, a row in docs/protocol.md and a seed of the
// fuzzer's. One without fails here.
#include "control/handshake/messages.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace lwt::handshake {
namespace {

std::string ContentOf(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

// The bodies of the fuzzer's seeds that are single messages, by type.
std::multimap<ControlType, ByteVector> Seeds() {
  std::multimap<ControlType, ByteVector> seeds;
  const std::filesystem::path folder =
      std::string(LWT_SOURCE_ROOT) + "/tests/fuzz/corpus/control_message";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string bytes = ContentOf(entry.path());
    if (bytes.empty() || bytes[0] != 0) continue;
    const ByteVector rest(bytes.begin() + 1, bytes.end());
    if (const auto message = ParseControlMessage(rest)) {
      seeds.emplace(message->type, message->body);
    }
  }
  return seeds;
}

TEST(ControlMessages, EachHasANumberOfItsOwn) {
  std::set<ControlType> types = {ControlType::kAck};
  ControlMessages::ForEach([&]<typename M>() {
    EXPECT_TRUE(types.insert(M::kType).second) << static_cast<int>(M::kType);
  });
}

TEST(ControlMessages, EachHasASeedThatReadsAsItWasBuilt) {
  const auto seeds = Seeds();
  ControlMessages::ForEach([&]<typename M>() {
    const auto [begin, end] = seeds.equal_range(M::kType);
    EXPECT_NE(begin, end) << "no seed of type " << static_cast<int>(M::kType);
    for (auto seed = begin; seed != end; ++seed) {
      const std::optional<M> message = M::Parse(seed->second);
      ASSERT_TRUE(message);
      EXPECT_EQ(message->Build(), seed->second);
      EXPECT_LE(message->Build().size(), kMaxControlBody);
    }
  });
}

TEST(ControlMessages, BodiesOfAFixedSizeAreReadAtThatSizeOnly) {
  const auto seeds = Seeds();
  ControlMessages::ForEach([&]<typename M>() {
    if (M::kType == ControlType::kNotice) return;  // text of any length
    const auto seed = seeds.find(M::kType);
    ASSERT_NE(seed, seeds.end());
    ByteVector body = seed->second;
    for (size_t size = 0; size < body.size(); ++size) {
      EXPECT_FALSE(M::Parse(ByteSpan(body).first(size))) << size;
    }
    body.push_back(0);
    EXPECT_FALSE(M::Parse(body));
  });
}

TEST(ControlMessages, EachHasARowInTheProtocol) {
  const std::string page =
      ContentOf(std::string(LWT_SOURCE_ROOT) + "/docs/protocol.md");
  const size_t begin = page.find("| type | name | body |");
  ASSERT_NE(begin, std::string::npos);
  const std::string table =
      page.substr(begin, page.find("\n\n", begin) - begin);
  ControlMessages::ForEach([&]<typename M>() {
    const int type = static_cast<int>(M::kType);
    EXPECT_NE(table.find("\n| " + std::to_string(type) + " | "),
              std::string::npos)
        << "no row for type " << type;
  });
}

TEST(ControlMessages, OnlyThoseOfVersion1AreUnderstoodByAll) {
  ControlMessages::ForEach([&]<typename M>() {
    EXPECT_TRUE(M::kUnderstoodBy(PeerOffer{}));
    EXPECT_EQ(M::kUnderstoodBy(PeerOffer{.features = 0}),
              M::kType <= ControlType::kNotice)
        << static_cast<int>(M::kType);
  });
}

TEST(ControlMessages, AVersionIsBoundedAndShownClean) {
  const About told{std::string(200, 'x'), 7};
  EXPECT_EQ(About::Parse(told.Build())->version, std::string(64, 'x'));
  EXPECT_EQ(About::Parse(About{"1\x1b[2J", 7}.Build())->version, "1?[2J");
  ByteWriter longer;
  longer.U8(65).Zeros(65).U32(7);
  EXPECT_FALSE(About::Parse(longer.Take()));
}

TEST(Features, HaveNamesAllOfOurs) {
  EXPECT_EQ(FeatureNames(0), std::vector<std::string>());
  EXPECT_EQ(FeatureNames(1u << 31 | kFeatureMtu),
            (std::vector<std::string>{"mtu", "bit 31"}));
  for (const std::string& name : FeatureNames(kOwnFeatures)) {
    EXPECT_EQ(name.find("bit "), std::string::npos)
        << "kFeatureTable has no name for " << name;
  }
}

TEST(ControlMessages, OfNetworksAsManyAreSentAsFit) {
  RoutesMessage message{.version = 3, .networks = {}};
  message.networks.resize(RoutesMessage::kMost + 1,
                          *ParseIpPrefix("10.0.0.0/8"));
  EXPECT_EQ(RoutesMessage::Fitting(message.networks), RoutesMessage::kMost);
  EXPECT_EQ(RoutesMessage::Parse(message.Build())->networks.size(),
            RoutesMessage::kMost);
  message.networks.assign(100, *ParseIpPrefix("fd00::/8"));
  EXPECT_EQ(RoutesMessage::Parse(message.Build())->networks.size(), 56u);
}

TEST(ControlMessages, ANetworkHasAFamilyAndALengthOfIt) {
  const auto read = [](std::initializer_list<uint8_t> network) {
    ByteVector body = {0, 0, 0, 1, 1};
    body.insert(body.end(), network);
    return RoutesMessage::Parse(body).has_value();
  };
  EXPECT_TRUE(read({4, 32, 10, 0, 0, 1}));
  EXPECT_FALSE(read({4, 33, 10, 0, 0, 1}));
  EXPECT_FALSE(read({5, 8, 10, 0, 0, 0}));
  EXPECT_FALSE(read({6, 8, 10, 0, 0, 0}));
  // Code 0 would be none.
  EXPECT_FALSE(RoutesAnswer::Parse(ByteVector{0, 0, 0, 1, 1, 0, 0}));
}

TEST(ControlMessages, AnMtuIsNoneThatNoPathHas) {
  EXPECT_FALSE(MtuMessage::Parse(MtuMessage{575}.Build()));
  EXPECT_TRUE(MtuMessage::Parse(MtuMessage{576}.Build()));
  EXPECT_TRUE(MtuMessage::Parse(MtuMessage{UINT16_MAX}.Build()));
}

}  // namespace
}  // namespace lwt::handshake
