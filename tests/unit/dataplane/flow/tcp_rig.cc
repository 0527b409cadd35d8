#include "tests/unit/dataplane/flow/tcp_rig.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/packet/dataplane/gateway_pair.h"
#include "tests/support/wire_frames.h"

namespace lwt::test {

rte_mempool* PacketPool() {
  static rte_mempool* const pool = [] {
    testing::StartTestEal();
    rte_mempool* made = rte_pktmbuf_pool_create("tcp", 8191, 0, 0,
                                                RTE_MBUF_DEFAULT_BUF_SIZE, -1);
    if (made == nullptr) std::abort();
    return made;
  }();
  return pool;
}

OuterTcp::Config RigConfig(uint8_t seed) {
  OuterTcp::Config config;
  config.secret.fill(seed);
  config.pool = PacketPool();
  return config;
}

OuterTcp::Config SmallConfig() {
  OuterTcp::Config config;
  config.max_proven_flows = 2;
  config.syn_backlog = 16;
  config.arena_bytes = 1u << 20;
  config.pool = PacketPool();
  config.secret = {7, 7, 7};
  return config;
}

Endpoint At(const char* text) { return ParseEndpoint(text).value(); }

uint8_t StreamByte(uint64_t offset) {
  return static_cast<uint8_t>(offset * 0x9e3779b97f4a7c15 >> 56);
}

std::vector<uint8_t> WithoutClock(const Frame& frame) {
  std::vector<uint8_t> bytes = frame.bytes;
  const size_t tcp = frame.View().destination.address.family == Family::kIpv4
                         ? 14 + 20
                         : 14 + 40;
  // MSS and SACK-permitted stand before the timestamps.
  std::fill_n(bytes.begin() + static_cast<ptrdiff_t>(tcp) + 16, 2, 0);
  std::fill_n(bytes.begin() + static_cast<ptrdiff_t>(tcp) + 28, 4, 0);
  return bytes;
}

// A record of stream bytes, or null.
rte_mbuf* StreamMbuf(uint64_t offset, uint16_t size) {
  rte_mbuf* mbuf = rte_pktmbuf_alloc(PacketPool());
  if (mbuf == nullptr) return nullptr;
  auto* bytes = reinterpret_cast<uint8_t*>(rte_pktmbuf_append(mbuf, size));
  for (uint16_t i = 0; i < size; ++i) bytes[i] = StreamByte(offset + i);
  return mbuf;
}

wire::FrameView Frame::View() const {
  wire::FrameView view;
  DropReason why;
  if (!wire::ParseFrame(bytes, 14, false, view, why)) {
    std::fprintf(stderr, "a frame of ours does not parse: %s\n",
                 std::string(NameOf(why)).c_str());
    std::abort();
  }
  return view;
}

std::vector<Frame> Drain(TxBatch& batch) {
  std::vector<Frame> frames;
  for (rte_mbuf* mbuf : batch.frames()) {
    for (std::vector<uint8_t>& bytes : WireFrames(*mbuf)) {
      frames.push_back({std::move(bytes)});
    }
    rte_pktmbuf_free(mbuf);
  }
  batch.Clear();
  return frames;
}

bool WindowChecker::Look(const wire::FrameView& frame) {
  const wire::TcpView& tcp = frame.tcp;
  Side& from = sides_[tcp.source_port];
  Side& to = sides_[tcp.destination_port];
  const uint32_t seq = tcp.seq.value();
  const uint32_t end = seq + static_cast<uint32_t>(tcp.payload.size()) +
                       (tcp.Has(wire::kSyn) ? 1 : 0) +
                       (tcp.Has(wire::kFin) ? 1 : 0);
  const auto after = [](uint32_t a, uint32_t b) {
    return static_cast<int32_t>(a - b) > 0;
  };
  if (tcp.Has(wire::kSyn)) {
    from.scales = tcp.options.window_scale.has_value();
    from.scale = tcp.options.window_scale.value_or(0);
  }
  const bool scaled = !tcp.Has(wire::kSyn) && from.scales && to.scales;
  const uint32_t window = uint32_t{tcp.window}
                          << (scaled ? from.scale : uint8_t{0});
  bool valid = true;
  if (from.known && !tcp.Has(wire::kSyn)) {
    valid &= !after(end, from.max_end);
    valid &= !after(from.end - to.max_window, end);
  }
  uint32_t told = tcp.ack.value();
  for (const wire::SackBlock& block : tcp.options.sack_blocks()) {
    if (after(block.right.value(), told)) told = block.right.value();
  }
  if (tcp.Has(wire::kAck) && to.known) {
    valid &= !after(told, to.end);
    valid &= !after(to.end - std::max(from.max_window, 66000u), told);
  }
  if (!from.known || after(end, from.end)) from.end = end;
  if (!from.known) from.max_end = end;
  from.known = true;
  from.max_window =
      std::max(from.max_window, window + (told - tcp.ack.value()));
  if (tcp.Has(wire::kAck) && after(tcp.ack.value() + window, to.max_end)) {
    to.max_end = tcp.ack.value() + window;
  }
  return valid;
}

TcpRig::TcpRig(const OuterTcp::Config& client_config,
               const OuterTcp::Config& hub_config, LinkConfig link_config,
               uint64_t seed)
    : link(link_config), random_(seed), stall_seed_(seed << 32) {
  client.tcp = std::make_unique<OuterTcp>(client_config);
  hub.tcp = std::make_unique<OuterTcp>(hub_config);
  const Endpoint listen[] = {At("0.0.0.0:9000"), At("[::]:9000")};
  hub.tcp->SetListen(listen);
}

void TcpRig::Fault(const char* what) {
  if (faults.size() < 20) {
    faults.push_back(std::string(what) + " at " + std::to_string(now_us));
  }
}

void TcpRig::CheckSent(Side& from, const wire::FrameView& view) {
  if (!checker_.Look(view)) Fault("a firewall would call it invalid");
  const wire::TcpView& tcp = view.tcp;
  if (tcp.Has(wire::kRst)) Fault("a RST was sent");
  if (tcp.Has(wire::kSyn)) return;
  if (tcp.Has(wire::kAck)) {
    const auto [last, fresh] =
        last_ack_.try_emplace(tcp.source_port, tcp.ack.value());
    if (!fresh && static_cast<int32_t>(tcp.ack.value() - last->second) < 0) {
      Fault("an ack went back");
    }
    last->second = tcp.ack.value();
    if (&from == &client) {
      client_numbers = {tcp.seq.value(), tcp.ack.value()};
    }
  }
}

// Each span of time begins with a stall of its own length.
uint64_t TcpRig::BehindStall(uint64_t arrival_us) {
  constexpr uint64_t kSpanUs = 20'000;
  const uint64_t span = arrival_us / kSpanUs;
  std::mt19937_64 random(span + stall_seed_);
  const uint64_t until_us = span * kSpanUs + random() % link.stall_us;
  return std::max(arrival_us, until_us);
}

uint64_t TcpRig::ArrivalUs(bool to_hub) {
  uint64_t& busy_until_us = link_busy_until_us_[to_hub];
  busy_until_us = std::max(busy_until_us, now_us) + link.frame_us;
  uint64_t arrival_us = busy_until_us + link.delay_us;
  if (link.jitter_us != 0) arrival_us += random_() % link.jitter_us;
  if (link.late != 0 &&
      std::uniform_real_distribution<double>(0, 1)(random_) < link.late) {
    ++frames_late;
    arrival_us += link.late_us;
  }
  return link.stall_us == 0 ? arrival_us : BehindStall(arrival_us);
}

void TcpRig::Transmit(Side& from) {
  std::uniform_real_distribution<double> chance(0, 1);
  for (Frame& frame : Drain(batch_)) {
    const wire::FrameView view = frame.View();
    CheckSent(from, view);
    if (observer) observer(from, frame);
    if ((filter && !filter(view)) || chance(random_) < link.loss) {
      ++frames_lost;
      continue;
    }
    const int copies = chance(random_) < link.duplicate ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
      const bool to_hub = &from == &client;
      flying_.emplace(ArrivalUs(to_hub), Flying{frame, to_hub});
    }
  }
}

void TcpRig::TakePayload(Side& side, const OuterTcp::Received& received) {
  const uint64_t begin = received.stream_offset;
  const uint64_t end = begin + received.payload.size();
  for (uint64_t i = begin; i < end; ++i) {
    if (received.payload[i - begin] != StreamByte(i)) {
      Fault("a byte is not the stream's");
      break;
    }
  }
  side.tcp->Accept(received, now_us, batch_);
  uint64_t from = begin;
  uint64_t to = end;
  auto at = side.delivered.upper_bound(from);
  if (at != side.delivered.begin() && std::prev(at)->second >= from) --at;
  while (at != side.delivered.end() && at->first <= to) {
    from = std::min(from, at->first);
    to = std::max(to, at->second);
    at = side.delivered.erase(at);
  }
  side.delivered[from] = to;
  const auto report = Peer(side).reports.find(begin);
  if (report != Peer(side).reports.end() && report->second.first == end) {
    side.forward_seen = std::max(side.forward_seen, report->second.second);
    side.tcp->OnForwardPoint(received.flow, report->second.second);
  }
}

void TcpRig::TakeEvents(Side& side) {
  while (const auto event = side.tcp->PopEvent()) {
    side.events.push_back(event->type);
    switch (event->type) {
      case OuterTcp::EventType::kEstablished:
        side.flow = event->flow;
        side.established = true;
        break;
      case OuterTcp::EventType::kForwardMoved:
        // As the worker does: seal a report, beyond Sendable if need be.
        Send(side, 87, true);
        break;
      case OuterTcp::EventType::kClosedByPeer:
        side.peer_closed = true;
        break;
      case OuterTcp::EventType::kResetHint:
        ++side.hints;
        break;
      case OuterTcp::EventType::kUnanswered:
        ++side.unanswered;
        break;
      default:
        side.released = true;
    }
  }
}

void TcpRig::Deliver(const Flying& flying) {
  Side& side = flying.to_hub ? hub : client;
  const auto received = side.tcp->Receive(flying.frame.View(), now_us, batch_);
  if (received.verdict == OuterTcp::Verdict::kPayload) {
    TakePayload(side, received);
  }
  Transmit(side);
}

void TcpRig::Inject(const wire::FrameView& frame) {
  const auto received = hub.tcp->Receive(frame, now_us, batch_);
  if (received.verdict == OuterTcp::Verdict::kPayload) {
    hub.tcp->Accept(received, now_us, batch_);
  } else if (received.verdict == OuterTcp::Verdict::kDropped &&
             received.flow == kNullFlow) {
    hub.tcp->AnswerStray(frame, now_us, batch_);
  }
  hub.tcp->Flush(now_us, batch_);
  hub.tcp->OnTimer(now_us, batch_);
  Drain(batch_);
  TakeEvents(hub);
  now_us += 500;
}

size_t TcpRig::SendRun(Side& from, const std::vector<uint16_t>& sizes) {
  const auto stats = from.tcp->Stats(from.flow);
  if (!stats.has_value() || batch_.full()) return 0;
  std::vector<rte_mbuf*> records;
  uint64_t offset = stats->bytes_sent;
  uint32_t room = from.tcp->Sendable(from.flow);
  for (const uint16_t size : sizes) {
    if (size > room) break;
    room -= size;
    rte_mbuf* record = StreamMbuf(offset, size);
    if (record == nullptr) break;
    records.push_back(record);
    offset += size;
  }
  const size_t taken =
      from.tcp->EncapsulateRun(from.flow, records, /*push=*/true, now_us);
  for (size_t i = taken; i < records.size(); ++i) rte_pktmbuf_free(records[i]);
  if (taken == 0) return 0;
  from.sent = from.tcp->Stats(from.flow)->bytes_sent;
  batch_.Push(records.front());
  Transmit(from);
  return taken;
}

bool TcpRig::Send(Side& from, uint16_t size, bool report) {
  if (!report && from.tcp->Sendable(from.flow) < size) return false;
  const auto stats = from.tcp->Stats(from.flow);
  if (!stats.has_value() || batch_.full()) return false;
  rte_mbuf* mbuf = StreamMbuf(stats->bytes_sent, size);
  if (mbuf == nullptr) return false;
  if (!from.tcp->Encapsulate(from.flow, mbuf, true, now_us)) {
    rte_pktmbuf_free(mbuf);
    return false;
  }
  if (report) {
    from.reports[stats->bytes_sent] = {stats->bytes_sent + size,
                                       from.tcp->ForwardPoint(from.flow)};
  }
  from.sent = stats->bytes_sent + size;
  batch_.Push(mbuf);
  Transmit(from);
  return true;
}

bool TcpRig::SendStream(Side& from, uint32_t size) {
  const auto stats = from.tcp->Stats(from.flow);
  if (!stats.has_value()) return false;
  std::vector<uint8_t> bytes(size);
  for (uint32_t i = 0; i < size; ++i) {
    bytes[i] = StreamByte(stats->bytes_sent + i);
  }
  if (!from.tcp->SendStream(from.flow, bytes, now_us, batch_)) return false;
  from.sent = stats->bytes_sent + size;
  Transmit(from);
  return true;
}

void TcpRig::FlushBoth() {
  for (Side* side : {&client, &hub}) {
    side->tcp->Flush(now_us, batch_);
    Transmit(*side);
    TakeEvents(*side);
  }
}

void TcpRig::RunTo(uint64_t until_us) {
  while (true) {
    uint64_t next =
        std::min(client.tcp->NextDeadline(), hub.tcp->NextDeadline());
    if (!flying_.empty()) next = std::min(next, flying_.begin()->first);
    if (next > until_us) break;
    now_us = std::max(now_us, next);
    while (!flying_.empty() && flying_.begin()->first <= now_us) {
      const auto node = flying_.extract(flying_.begin());
      Deliver(node.mapped());
    }
    for (Side* side : {&client, &hub}) {
      side->tcp->OnTimer(now_us, batch_);
      Transmit(*side);
    }
    FlushBoth();
  }
  now_us = std::max(now_us, until_us);
}

bool TcpRig::RunUntil(uint64_t limit_us, const std::function<bool()>& done) {
  const uint64_t end = now_us + limit_us;
  while (!done()) {
    if (now_us >= end) return false;
    RunTo(now_us + 1000);
  }
  return true;
}

bool TcpRig::Open(const char* from, const char* to) {
  uint8_t ethernet[14] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0};
  if (At(from).address.family == Family::kIpv6) {
    ethernet[12] = 0x86;
    ethernet[13] = 0xdd;
  }
  client.flow =
      client.tcp->Connect({At(from), At(to), ethernet}, now_us, batch_);
  Transmit(client);
  const bool open = RunUntil(
      60'000'000, [this] { return client.established && hub.established; });
  return open && client.tcp->SetUser(client.flow, {0}) &&
         (!prove_hub || hub.tcp->SetUser(hub.flow, {0}));
}

bool TcpRig::Complete(const Side& from) const {
  const Side& to = Peer(from);
  uint64_t reached = 0;
  const uint64_t passed = to.forward_seen;
  for (const auto& [begin, end] : to.delivered) {
    if (begin > std::max(reached, passed)) return false;
    reached = std::max(reached, end);
  }
  return std::max(reached, passed) >= from.sent;
}

}  // namespace lwt::test
