#include "control/session/stream_assembler.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "tests/unit/control/workers/recording_link.h"

namespace lwt::peer {
namespace {

constexpr FlowId kStreamFlow = FlowId::Of(1, 1);

class StreamAssemblerTest : public testing::Test {
 protected:
  using Octets = std::vector<uint8_t>;

  bool Add(uint64_t offset, Octets bytes,
           uint64_t limit = StreamAssembler::kMaxStream) {
    return assembler_.Add({kStreamFlow, offset, std::move(bytes)}, limit);
  }
  Octets Next() {
    const auto bytes = assembler_.Next();
    return {bytes.begin(), bytes.end()};
  }

  StreamMemory memory_{10'000};
  StreamAssembler assembler_{memory_};
};

TEST_F(StreamAssemblerTest, OrdersAndOverlaps) {
  EXPECT_TRUE(assembler_.empty());
  EXPECT_TRUE(Add(3, {4, 5, 6}));
  EXPECT_FALSE(assembler_.empty());
  EXPECT_EQ(Next(), Octets{});
  EXPECT_TRUE(Add(0, {1, 2, 3, 4}));
  EXPECT_EQ(Next(), (Octets{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(assembler_.position(), 6u);
  // What was had is not had again, nor changed.
  EXPECT_TRUE(Add(0, {9, 9}));
  EXPECT_TRUE(Add(5, {9, 7}));
  EXPECT_EQ(Next(), Octets{7});
  EXPECT_EQ(assembler_.Pieces(kStreamFlow, 0).at(0).bytes,
            (Octets{1, 2, 3, 4, 5, 6, 7}));
}

TEST_F(StreamAssemblerTest, RangesBecomeOneInWhateverOrder) {
  for (const uint64_t at : {8, 2, 4, 0, 6}) {
    const auto first = static_cast<uint8_t>(at);
    EXPECT_TRUE(Add(at, {first, static_cast<uint8_t>(first + 1)}));
  }
  EXPECT_EQ(assembler_.Pieces(kStreamFlow, 0).size(), 1u);
  Octets all(10);
  std::iota(all.begin(), all.end(), uint8_t{0});
  EXPECT_EQ(Next(), all);
}

TEST_F(StreamAssemblerTest, GivesBackTheRest) {
  RecordingLink link;
  Add(0, {1, 2, 3});
  Add(8, {8, 9});
  Next();
  assembler_.Reinject(link, kStreamFlow, 2);
  const auto sent = link.Sent<ReinjectCommand>();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[0].stream_offset, 2u);
  EXPECT_EQ(sent[0].bytes, Octets{3});
  EXPECT_EQ(sent[1].stream_offset, 8u);
  EXPECT_EQ(sent[1].flow, kStreamFlow);

  Reinject(link, {kStreamFlow, 4, {4, 5, 6}}, 5);
  Reinject(link, {kStreamFlow, 4, {4, 5, 6}}, 7);
  ASSERT_EQ(link.Sent<ReinjectCommand>().size(), 3u);
  EXPECT_EQ(link.Sent<ReinjectCommand>()[2].bytes, (Octets{5, 6}));
}

// A stranger chooses where its bytes stand and how many there are.
TEST_F(StreamAssemblerTest, KeepsNoMoreThanItsLimit) {
  EXPECT_FALSE(Add(0, Octets(3000), 1000));
  EXPECT_EQ(Next().size(), 1000u);
  EXPECT_FALSE(Add(5000, {1}, 1000));
  EXPECT_FALSE(Add(StreamAssembler::kMaxStream, {1}));
  EXPECT_EQ(memory_.used(), 0u) << "its own bytes are not counted";
}

TEST_F(StreamAssemblerTest, KeepsNoMoreRangesThanSixteen) {
  for (uint64_t i = 0; i < StreamAssembler::kMaxRanges; ++i) {
    EXPECT_TRUE(Add(2 * i + 1, {1}));
  }
  for (uint64_t i = 0; i < 1000; ++i) EXPECT_FALSE(Add(100 + 2 * i, {1}));
  EXPECT_EQ(assembler_.Pieces(kStreamFlow, 0).size(),
            StreamAssembler::kMaxRanges);
  EXPECT_TRUE(Add(0, Octets(32)));
  EXPECT_EQ(assembler_.Pieces(kStreamFlow, 0).size(), 1u);
}

TEST_F(StreamAssemblerTest, AllTogetherKeepNoMoreThanTheirMemory) {
  {
    StreamAssembler other(memory_);
    EXPECT_TRUE(other.Add({kStreamFlow, 0, Octets(9000)}));
    EXPECT_EQ(memory_.used(), 9000 - StreamAssembler::kOwnBytes);
    EXPECT_FALSE(Add(8000, Octets(2000)));
    // A handshake has room whatever others keep.
    EXPECT_TRUE(Add(0, Octets(StreamAssembler::kOwnBytes)));
  }
  EXPECT_EQ(memory_.used(), 0u);
  EXPECT_TRUE(Add(8000, Octets(2000)));
}

}  // namespace
}  // namespace lwt::peer
