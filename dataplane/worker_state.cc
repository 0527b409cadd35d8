#include "dataplane/worker_state.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "dataplane/flow/outer_flows.h"
#include "dataplane/sip_hash.h"

namespace lwt {
namespace {

static_assert(OuterFlows<decltype(Worker::tcp)>);

OuterTcp::Config TcpConfig(const WorkerOptions& options) {
  OuterTcp::Config config;
  config.worker = options.index;
  config.max_proven_flows = options.max_lanes;
  config.arena_bytes = options.arena_bytes;
  config.retransmit = options.retransmit;
  config.persona = options.persona;
  config.secret = options.flow_secret;
  config.pool = options.pool;
  config.link_mtu = options.uplink->info().mtu;
  config.port_segments = options.uplink->info().segments;
  config.first_path_mtu = options.first_path_mtu;
  return config;
}

// Ethernet, IPv4 and TCP with timestamps, of each segment.
constexpr uint64_t kSegmentHeaders = 14 + 20 + 32;

fec::Encoder::Config EncoderConfig(const WorkerOptions& options) {
  fec::Encoder::Config config;
  config.pool = options.pool;
  config.max_lanes = options.max_lanes;
  config.flush_us = options.tuning.fec_flush_us;
  config.interleave_us = options.tuning.fec.interleave_us;
  config.code = options.fec_code;
  return config;
}

// Of two words, so no hash of a flow, which takes more, tells about it.
uint64_t GroupKeyWord(const WorkerOptions& options, uint64_t which) {
  SipKey secret;
  std::memcpy(&secret.k0, options.flow_secret.data(), 8);
  std::memcpy(&secret.k1, options.flow_secret.data() + 8, 8);
  const std::array<uint64_t, 2> words = {options.index.value, which};
  return SipHash::Of(secret, words);
}

fec::Decoder::Config DecoderConfig(const WorkerOptions& options) {
  fec::Decoder::Config config;
  config.store.max_lanes = options.max_lanes;
  config.store.key = {GroupKeyWord(options, 0), GroupKeyWord(options, 1)};
  config.pool = options.pool;
  config.code = options.fec_code;
  return config;
}

}  // namespace

InboundState::InboundState(const WorkerOptions& options)
    : pieces(options.max_lanes), decoder(DecoderConfig(options)) {}

OutboundState::OutboundState(const WorkerOptions& options)
    : floods(options.floods ? options.max_lanes : 0),
      shares(options.max_lanes),
      flow_queues(options.send_queue, options.max_lanes),
      encoder(EncoderConfig(options)) {
  waiting_lanes.reserve(options.max_lanes);
}

Worker::Worker(const WorkerOptions& worker_options, Aead worker_aead,
               std::unique_ptr<Mailbox> worker_mailbox)
    : options(worker_options),
      tuning(worker_options.tuning),
      aead(std::move(worker_aead)),
      mailbox(std::move(worker_mailbox)),
      uplink(worker_options.uplink),
      tcp(TcpConfig(worker_options)),
      lanes(worker_options.max_lanes),
      inbound(worker_options),
      outbound(worker_options),
      shares(worker_options.max_lanes),
      icmp(worker_options.max_lanes),
      lane_counters(worker_options.max_lanes) {
  if (options.lan != nullptr) lan = std::make_unique<LanState>();
  connects_.reserve(kMaxConnects);
}

uint64_t Worker::PartOf(uint64_t rate, PeerIndex peer) const {
  const bool known = snapshot != nullptr && peer.value < snapshot->peers.size();
  const int parts =
      known ? std::popcount(snapshot->peers[peer.value].workers) : 1;
  return rate / static_cast<uint64_t>(std::max(parts, 1));
}

// By what the flow has sent in all, so that parities, repairs and words of the
// session count, which ask for no leave.
void Worker::LimitToRate(session::Lane& lane) {
  const auto stats = tcp.Stats(lane.flow);
  if (!stats) return;
  const uint64_t segments =
      stats->segments_sent + stats->segments_retransmitted;
  const uint64_t bytes =
      stats->bytes_sent + segments * kSegmentHeaders +
      stats->segments_retransmitted * tcp.MaxPayload(lane.flow);
  if (lane.charged != 0) lane.rate.Spend(bytes - lane.charged);
  lane.charged = bytes;
  lane.budget = std::min(
      lane.budget, lane.rate.Refill(PartOf(lane.peer_rate, lane.peer), now_us));
}

uint32_t Worker::TakeToken(FlowId flow) {
  const auto at = std::find_if(
      connects_.begin(), connects_.end(),
      [flow](const PendingConnect& pending) { return pending.flow == flow; });
  if (at == connects_.end()) return 0;
  const uint32_t token = at->token;
  connects_.erase(at);
  return token;
}

}  // namespace lwt
