// A host without any key that speaks TCP with the hub, at once, and says what
// it has overheard or what it likes.
#pragma once

#include <map>
#include <vector>

#include "tests/unit/control/session/world.h"

namespace lwt::peer {

class Stranger {
 public:
  Stranger(FakeNet& net, TestHub& hub) : hub_(hub), worker_(net) {}

  // A new flow from this endpoint.
  FlowId Connect(const Endpoint& from) {
    const FlowId theirs = FlowId::Of(hub_.worker.next_flow++, 7);
    const FlowId mine = theirs;
    const Endpoint hub = At("192.0.2.1:9000");
    hub_.worker.flows[theirs.value] = {&worker_, mine, hub, from};
    worker_.flows[mine.value] = {&hub_.worker, theirs, from, hub};
    Event up;
    up.kind = EventKind::kFlowUp;
    up.flow = theirs;
    up.local = hub;
    up.remote = from;
    hub_.worker.events.push_back(up);
    return theirs;
  }
  void Say(FlowId flow, const std::vector<uint8_t>& bytes) {
    auto& own = worker_.flows.at(flow.value);
    hub_.worker.Punt(flow, bytes, own.sent);
    own.sent += bytes.size();
  }
  // What the hub said on the flow.
  std::vector<uint8_t> Heard(FlowId flow) {
    while (!worker_.streams.empty()) {
      const PuntedStream stream = worker_.streams.front();
      worker_.streams.pop_front();
      auto& heard = heard_[stream.flow.value];
      heard.insert(heard.end(), stream.bytes.begin(), stream.bytes.end());
    }
    return heard_[flow.value];
  }
  bool Closed(FlowId flow) const {
    return !hub_.worker.flows.contains(flow.value);
  }

 private:
  TestHub& hub_;
  FakeWorker worker_;
  std::map<uint32_t, std::vector<uint8_t>> heard_;
};

}  // namespace lwt::peer
