// The order of what comes by three rings, whatever the worker does between two
// looks at them.

#include "control/workers/worker_inbox.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <string>
#include <vector>

namespace lwt::peer {
namespace {

// Rings of a worker that goes on while it is being drained: `between` runs
// before each poll, as another thread would.
class Rings : public WorkerInbox::Source {
 public:
  bool PollEvent(Event& event) override { return Poll(events, event); }
  bool PollStream(PuntedStream& stream) override {
    return Poll(streams, stream);
  }
  bool PollRecord(PuntedRecord& record) override {
    return Poll(records, record);
  }

  void FlowEvent(EventKind kind, uint32_t slot) {
    Event event;
    event.kind = kind;
    event.flow = FlowId::Of(slot, 1);
    events.push_back(event);
  }
  void Up(uint32_t slot) { FlowEvent(EventKind::kFlowUp, slot); }
  void Down(uint32_t slot) { FlowEvent(EventKind::kFlowDown, slot); }
  void Bytes(uint32_t slot) {
    PuntedStream stream;
    stream.flow = FlowId::Of(slot, 1);
    streams.push_back(stream);
  }
  void Record(uint32_t lane) {
    PuntedRecord record;
    record.lane = {lane};
    records.push_back(record);
  }

  std::deque<Event> events;
  std::deque<PuntedStream> streams;
  std::deque<PuntedRecord> records;
  std::function<void()> between = [] {};

 private:
  template <typename T>
  bool Poll(std::deque<T>& ring, T& out) {
    between();
    if (ring.empty()) return false;
    out = ring.front();
    ring.pop_front();
    return true;
  }
};

// Writes down what it is given: "up 1", "bytes 1", "down 1", "record 7".
class Notes : public WorkerInbox::Sink {
 public:
  void OnEvent(WorkerIndex, const Event& event) override {
    const bool up = event.kind == EventKind::kFlowUp;
    Note(up ? "up " : "down ", event.flow.slot());
  }
  void OnStream(const PuntedStream& stream) override {
    Note("bytes ", stream.flow.slot());
  }
  void OnRecord(WorkerIndex, const PuntedRecord& record) override {
    Note("record ", record.lane.value);
  }

  std::vector<std::string> notes;

 private:
  void Note(const char* what, uint32_t which) {
    notes.push_back(what + std::to_string(which));
  }
};

class WorkerInboxTest : public testing::Test {
 protected:
  void Drain() { inbox_.Drain(rings_, {0}, notes_); }

  Rings rings_;
  Notes notes_;
  WorkerInbox inbox_;
};

using Lines = std::vector<std::string>;

TEST_F(WorkerInboxTest, BytesFollowTheEventThatTheirFlowIsUp) {
  rings_.Up(1);
  rings_.Bytes(1);
  rings_.Bytes(1);
  Drain();
  EXPECT_EQ(notes_.notes, (Lines{"up 1", "bytes 1", "bytes 1"}));
}

// The worker sets up a flow and punts its first bytes between any two looks.
TEST_F(WorkerInboxTest, NoMomentBringsBytesBeforeTheirFlow) {
  for (int moment = 0; moment < 12; ++moment) {
    Rings rings;
    Notes notes;
    WorkerInbox inbox;
    int polls = 0;
    rings.between = [&] {
      if (polls++ != moment) return;
      rings.Up(1);
      rings.Bytes(1);
    };
    rings.Up(2);
    rings.Bytes(2);
    rings.Down(2);
    while (polls <= moment || !rings.streams.empty()) {
      inbox.Drain(rings, {0}, notes);
    }
    inbox.Drain(rings, {0}, notes);
    const auto at = [&](const char* what) {
      const auto found =
          std::find(notes.notes.begin(), notes.notes.end(), what);
      EXPECT_NE(found, notes.notes.end()) << what << " at " << moment;
      return found;
    };
    EXPECT_LT(at("up 1"), at("bytes 1")) << moment;
    EXPECT_LT(at("up 2"), at("bytes 2")) << moment;
    EXPECT_LT(at("bytes 2"), at("down 2")) << moment;
    EXPECT_EQ(notes.notes.size(), 5u) << moment;
  }
}

TEST_F(WorkerInboxTest, AnEndIsReadAfterTheLastBytesOfItsFlowAlone) {
  rings_.Down(1);
  rings_.Up(2);
  rings_.Bytes(1);
  rings_.Bytes(2);
  rings_.Bytes(1);
  rings_.Record(7);
  Drain();
  EXPECT_EQ(notes_.notes, (Lines{"bytes 1", "bytes 1", "record 7", "down 1",
                                 "up 2", "bytes 2"}));
}

TEST_F(WorkerInboxTest, BytesWaitWhileEventsAreLeft) {
  for (int i = 0; i <= WorkerInbox::kDrainLimit; ++i) rings_.Up(1);
  rings_.Bytes(1);
  Drain();
  EXPECT_EQ(notes_.notes.size(), size_t{WorkerInbox::kDrainLimit});
  EXPECT_EQ(notes_.notes.back(), "up 1");
  notes_.notes.clear();
  Drain();
  EXPECT_EQ(notes_.notes, (Lines{"up 1", "bytes 1"}));
}

TEST_F(WorkerInboxTest, RecordsComeWithoutEvents) {
  rings_.Record(3);
  rings_.Record(4);
  Drain();
  EXPECT_EQ(notes_.notes, (Lines{"record 3", "record 4"}));
}

}  // namespace
}  // namespace lwt::peer
