// The two ways through the gateway. Start reading in pipeline.cc.
#pragma once

namespace lwt {

class Worker;

// Uplink → inside: at most one burst of frames. Work that did not fit stays in
// the worker for the next call.
void RunInbound(Worker& worker);

// Inside → uplink: what came from the tunnel device and what Inbound sent on
// from peer to peer.
void RunOutbound(Worker& worker);

}  // namespace lwt
