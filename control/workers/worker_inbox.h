// What one worker hands up, in the order in which it happened there.
//
// Events, stream bytes and records come by rings of their own, so a look at one
// ring and then at another sees them out of order: the first bytes of a flow
// before the event that it is up, or its end before its last bytes. Bytes that
// come before their flow would be lost, for the worker has acknowledged them.
//
// The worker writes in order, so what is seen in one ring was preceded by all
// that a later look at another ring shows. Owned by the gateway, one for each
// worker. Control thread.
#pragma once

#include <deque>

#include "control/workers/names.h"
#include "dataplane/exchange/event.h"

namespace lwt::peer {

class WorkerInbox {
 public:
  // At most so many of a kind in one Drain.
  static constexpr int kDrainLimit = 512;
  // Stream bytes that wait here for events to be read; more wait in the ring.
  static constexpr size_t kMaxHeld = 2 << 20;

  class Source {
   public:
    virtual ~Source() = default;
    virtual bool PollEvent(Event& event) = 0;
    virtual bool PollStream(PuntedStream& stream) = 0;
    virtual bool PollRecord(PuntedRecord& record) = 0;
  };

  class Sink {
   public:
    virtual ~Sink() = default;
    virtual void OnEvent(WorkerIndex from, const Event& event) = 0;
    virtual void OnStream(const PuntedStream& stream) = 0;
    virtual void OnRecord(WorkerIndex from, const PuntedRecord& record) = 0;
  };

  // What has come of the worker. While events are left behind, so are stream
  // bytes.
  void Drain(Source& source, WorkerIndex from, Sink& sink);

 private:
  void Take(Source& source);
  // All that were taken, or those of one flow.
  void Hand(Sink& sink);
  void HandOf(FlowId flow, Sink& sink);

  std::deque<PuntedStream> streams_;
  size_t held_ = 0;  // bytes of these
};

}  // namespace lwt::peer
