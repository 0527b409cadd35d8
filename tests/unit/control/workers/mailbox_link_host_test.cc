// The road to workers that run: what was sent is carried out in order, and what
// they say can be told from it.
#include <gtest/gtest.h>

#include "control/workers/mailbox_link.h"
#include "dataplane/wire/record.h"
#include "tests/unit/control/stand.h"

namespace lwt::peer {
namespace {

class MailboxLinkTest : public OnStand {
 protected:
  bool Passes(const CommandMark& mark) {
    return Until([&] { return link_->Passed(mark); });
  }
};

TEST_F(MailboxLinkTest, AMarkIsPassedOnceAllWorkersAreThere) {
  EXPECT_TRUE(link_->Passed({})) << "nothing is always done";
  for (uint32_t worker = 0; worker < workers(); ++worker) {
    link_->Send(WorkerIndex{worker}, ProbeLaneCommand{{0}, 1});
  }
  const CommandMark mark = link_->Mark();
  EXPECT_TRUE(Passes(mark));
  link_->SendToAll(ListenCommand{});
  const CommandMark later = link_->Mark();
  for (uint32_t worker = 0; worker < workers(); ++worker) {
    EXPECT_EQ(later.sent[worker], mark.sent[worker] + 1);
  }
  EXPECT_TRUE(Passes(later));
  EXPECT_TRUE(link_->Passed(mark)) << "once passed, always";
}

TEST_F(MailboxLinkTest, OneThatWasSentToOneIsMarkedForItAlone) {
  const CommandMark before = link_->Mark();
  link_->Send(CloseFlowCommand{FlowId::Of(1, 1, {1})});  // worker 1 has it
  const CommandMark after = link_->Mark();
  EXPECT_EQ(after.sent[0], before.sent[0]);
  EXPECT_EQ(after.sent[1], before.sent[1] + 1);
  EXPECT_TRUE(Passes(after));
}

TEST_F(MailboxLinkTest, ALaneThatIsNotThereReadsAsNothing) {
  const LaneReading reading = link_->ReadLane({WorkerIndex{1}, {0}});
  EXPECT_EQ(reading.tx_packets, 0u);
  EXPECT_EQ(reading.records_opened, 0u);
}

TEST_F(MailboxLinkTest, WhatNoKeySealedOpensWithNone) {
  OpeningKeys keys;
  keys.epochs.resize(2);
  keys.epochs[1].epoch = 1;
  for (const size_t size : {0, 5, 30, 100, 1400}) {
    std::vector<uint8_t> record(size, 0x17);
    EXPECT_FALSE(link_->Opens(keys, record)) << size;
    if (size > wire::kRecordOverhead) {
      wire::WriteRecordFraming(size - wire::kRecordOverhead, record.data());
      EXPECT_FALSE(link_->Opens(keys, record)) << size;
      EXPECT_FALSE(link_->Opens({}, record)) << "no key at all";
    }
  }
}

}  // namespace
}  // namespace lwt::peer
