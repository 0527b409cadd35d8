#include "control/workers/worker_inbox.h"

#include <algorithm>
#include <utility>

namespace lwt::peer {
namespace {

void HandRecords(WorkerInbox::Source& source, WorkerIndex from,
                 WorkerInbox::Sink& sink) {
  PuntedRecord record;
  for (int i = 0; i < WorkerInbox::kDrainLimit && source.PollRecord(record);
       ++i) {
    sink.OnRecord(from, record);
  }
}

}  // namespace

void WorkerInbox::Take(Source& source) {
  PuntedStream stream;
  for (int i = 0; i < kDrainLimit && held_ < kMaxHeld; ++i) {
    if (!source.PollStream(stream)) return;
    held_ += stream.bytes.size();
    streams_.push_back(std::move(stream));
  }
}

void WorkerInbox::Hand(Sink& sink) {
  for (const PuntedStream& stream : streams_) sink.OnStream(stream);
  streams_.clear();
  held_ = 0;
}

void WorkerInbox::HandOf(FlowId flow, Sink& sink) {
  const auto other = [&](const PuntedStream& stream) {
    return stream.flow != flow;
  };
  const auto first =
      std::stable_partition(streams_.begin(), streams_.end(), other);
  for (auto stream = first; stream != streams_.end(); ++stream) {
    held_ -= stream->bytes.size();
    sink.OnStream(*stream);
  }
  streams_.erase(first, streams_.end());
}

void WorkerInbox::Drain(Source& source, WorkerIndex from, Sink& sink) {
  // Streams first: the events before them are then all there to be seen.
  Take(source);
  bool events_left = true;
  Event event;
  for (int i = 0; i < kDrainLimit; ++i) {
    events_left = source.PollEvent(event);
    if (!events_left) break;
    if (event.kind == EventKind::kFlowDown) {
      // What came on the flow before its end is read before it: an alert, a
      // close record.
      Take(source);
      HandOf(event.flow, sink);
      HandRecords(source, from, sink);
    }
    sink.OnEvent(from, event);
  }
  if (!events_left) Hand(sink);
  HandRecords(source, from, sink);
}

}  // namespace lwt::peer
