// Flows that are no tunnel: a relay reads and writes their streams.
#include <algorithm>

#include "dataplane/flow/outer_tcp.h"

namespace lwt {
namespace {

// What a relay may have on its way, so that one prober does not take the ring
// of sent bytes from the tunnels.
constexpr uint64_t kSplicedInFlight = 128 * 1024;

}  // namespace

bool OuterTcp::Splice(FlowId id) {
  OuterFlow* flow = FindOpen(id);
  if (flow == nullptr || flow->proven()) return false;
  // The relay asks once more since it finds no room: the word that opened the
  // window may be lost.
  if (flow->spliced && flow->snd_right <= flow->snd_nxt) {
    AskForWindow(*flow, flushed_us_);
  }
  flow->spliced = true;
  flow->end_at_us = OuterFlow::kNever;
  Raise(*flow, EventType::kStreamRoom);
  return true;
}

void OuterTcp::ConsumeTo(FlowId id, uint64_t stream_offset) {
  OuterFlow* flow = table_.Find(id);
  if (flow == nullptr || flow->state != FlowState::kOpen) return;
  flow->consumed = std::max(flow->consumed, stream_offset);
  // A window that was closed is opened by a word, not only by the next ACK.
  const uint64_t reach = flow->consumed + flow->rcv_window;
  if (reach >= flow->rcv_right + flow->rcv_window / 2) flow->ack_now = true;
  Touch(*flow);
}

uint64_t OuterTcp::StreamLimit(FlowId id) {
  const OuterFlow* flow = FindOpen(id);
  if (flow == nullptr) return 0;
  return std::min(flow->snd_right, flow->snd_una + kSplicedInFlight);
}

}  // namespace lwt
