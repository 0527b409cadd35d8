// Handshakes: SYN sent and received, crossing SYNs, cookies.
#include <algorithm>
#include <array>

#include "dataplane/flow/control_segment.h"
#include "dataplane/flow/outer_tcp.h"
#include "dataplane/flow/tcp_rtt.h"
#include "dataplane/wire/ip.h"

namespace lwt {
namespace {

using wire::TcpSeq;

constexpr uint64_t kSecondUs = 1'000'000;
// A SYN-ACK is sent again after 1, 2, 4, 8 and 16 s; 32 s later it is over.
constexpr uint8_t kSynAckRetries = 5;

// RFC 9293 §3.7.1: the MSS of a peer that tells none.
constexpr uint16_t kDefaultMssIpv4 = 536;
constexpr uint16_t kDefaultMssIpv6 = 1220;
// Nothing useful fits a smaller one, and Linux too raises it (TCP_MIN_MSS).
constexpr uint16_t kMinMss = 88;

// A Linux host acknowledges at once what comes first.
constexpr uint8_t kQuickAcks = 16;

// What a Linux SYN or SYN-ACK says: of the first 64 KiB whole segments (of
// `segment` bytes), as far as 16 bits tell it.
uint16_t SynWindow(uint16_t segment) {
  return static_cast<uint16_t>(std::min(65535, 65536 / segment * segment));
}

// Of a SYN that was sent several times the echo tells which copy was answered
// (RFC 7323 §4); a cookie's has other bits in it, and its time is not kept.
std::optional<uint64_t> SynRoundTrip(const OuterFlow& flow,
                                     const wire::TcpView& tcp,
                                     uint64_t now_us) {
  if (flow.syn_tries == 1) return now_us - flow.syn_sent_us;
  const auto& stamps = tcp.options.timestamps;
  if (!flow.timestamps || !stamps || flow.syn_sent_us == 0) {
    return std::nullopt;
  }
  const uint32_t ago_ms = flow.Stamp(now_us) - stamps->echo;
  const uint64_t rtt_us = uint64_t{ago_ms} * 1000;
  // It began before the clock's last tick at the first SYN.
  if (rtt_us > now_us - flow.syn_sent_us + 1000) return std::nullopt;
  return std::max<uint64_t>(rtt_us, 1);
}

}  // namespace

uint16_t OuterTcp::LocalMss(Family family, uint8_t leg) const {
  return static_cast<uint16_t>(LinkMtu(leg) - wire::IpHeaderSize(family) -
                               wire::kTcpHeaderSize);
}

// Not zero: that is no label (RFC 6437 §2).
uint32_t OuterTcp::FlowLabel(const FlowKey& key, uint64_t extra) const {
  const uint64_t hash = hash_.Of(HashUse::kFlowLabel, key, extra);
  return std::max<uint32_t>(1, hash & 0xfffff);
}

// A kernel draws another with each timeout, in the hope of another path
// (net.core.txrehash), and with no other segment sent again.
void OuterTcp::RenewFlowLabel(OuterFlow& flow, uint64_t now_us) const {
  flow.flow_label = FlowLabel(flow.key, now_us);
  flow.header.SetFlowLabel(flow.flow_label);
}

// RFC 6528, with Linux's clock: 64 ns. Two connections of the same endpoints
// never begin with the same number.
TcpSeq OuterTcp::NewIsn(const FlowKey& key, uint64_t now_us) const {
  return TcpSeq(
      static_cast<uint32_t>(hash_.Of(HashUse::kIsn, key) + (now_us << 4)));
}

FlowId OuterTcp::Connect(const ConnectArgs& args, uint64_t now_us,
                         TxBatch& out) {
  const FlowKey key = FlowKey::Of(args.local, args.remote);
  if (table_.Find(key) != nullptr) return kNullFlow;
  OuterFlow* flow = NewFlow(key, wire::LinkHeader::From(args.link), now_us);
  if (flow == nullptr) return kNullFlow;
  connected_ = true;
  ++totals_.half_open;
  flow->state = FlowState::kSynSent;
  flow->announced = true;
  flow->iss = NewIsn(key, now_us);
  flow->syn_sent_us = now_us;
  SendSyn(*flow, now_us, out);
  return IdOf(*flow);
}

// A SYN, or a SYN-ACK when one was received; arms its repetition.
void OuterTcp::SendSyn(OuterFlow& flow, uint64_t now_us, TxBatch& out) {
  const bool answer = flow.state == FlowState::kSynReceived;
  const uint16_t mss = LocalMss(flow);
  if (flow.syn_tries != 0) RenewFlowLabel(flow, now_us);
  ControlSegment segment{.link = flow.header.link(),
                         .flow_label = flow.flow_label};
  wire::TcpOptions& options = segment.tcp.options;
  segment.tcp.seq = flow.iss;
  segment.tcp.flags = wire::kSyn;
  options.mss = mss;
  if (!answer || flow.timestamps) {
    options.timestamps = {flow.Stamp(now_us), flow.ts_recent};
  }
  options.sack_permitted = !answer || flow.sack;
  if (!answer || flow.own_scale != 0) {
    options.window_scale = WindowScaleOf(config_.persona);
  }
  if (answer) {
    segment.tcp.flags |= wire::kAck;
    segment.tcp.ack = flow.irs + 1;
    segment.tcp.window = static_cast<uint16_t>(flow.rcv_right);
  } else {
    segment.ip_id = flow.ip_id++;
    segment.tcp.window = SynWindow(mss);
  }
  Emit(MakeControlSegment(config_.pool, flow.key, segment), out);
  if (answer) {
    // An answer to a repeated SYN begins the wait again, no longer than before.
    flow.rto_at_us = now_us + (kSecondUs << flow.backoff);
  } else {
    flow.rto_at_us = flow.syn_sent_us +
                     SynScheduleOf(config_.persona)[flow.syn_tries] * kSecondUs;
  }
  ++flow.syn_tries;
  Rearm(flow);
}

void OuterTcp::OnSynTimer(OuterFlow& flow, uint64_t now_us, TxBatch& out) {
  const bool answer = flow.state == FlowState::kSynReceived;
  const bool over =
      answer ? flow.backoff == kSynAckRetries
             : flow.syn_tries == SynScheduleOf(config_.persona).size();
  if (over) return Die(flow, EventType::kTimedOut);
  if (answer) ++flow.backoff;
  SendSyn(flow, now_us, out);
}

bool OuterTcp::IsListening(const Endpoint& local) const {
  return std::any_of(
      listen_.begin(), listen_.begin() + listen_count_,
      [&](const Endpoint& at) {
        return at.port == local.port &&
               at.address.family == local.address.family &&
               (at.address == local.address || at.address.IsUnspecified());
      });
}

OuterTcp::Received OuterTcp::ReceiveNew(const Input& in, const FlowKey& key) {
  std::optional<TcpSeq> isn;
  ClosedFlow* const closed = closed_.Find(key, in.now_us);
  if (closed != nullptr && closed->kind != ClosedKind::kSilent &&
      ReceiveClosed(*closed, in, isn)) {
    return Received{};
  }
  if (!IsListening(in.frame.destination)) return Drop(DropReason::kNotForUs);
  const uint8_t kind =
      in.frame.tcp.flags & (wire::kSyn | wire::kAck | wire::kRst | wire::kFin);
  if (kind == wire::kSyn) return ReceiveListenSyn(in, key, isn);
  if (kind == wire::kAck && in.now_us < cookies_until_us_) {
    return ReceiveCookieAck(in, key);
  }
  return Drop(DropReason::kNoFlow);
}

// Options and numbers of the peer's SYN.
void OuterTcp::TakeSyn(OuterFlow& flow, const wire::TcpView& tcp) {
  const wire::TcpOptions& options = tcp.options;
  const Family family = flow.key.family();
  flow.irs = tcp.seq;
  flow.timestamps = options.timestamps.has_value();
  flow.sack = options.sack_permitted;
  if (flow.timestamps) flow.ts_recent = options.timestamps->value;
  flow.own_scale = options.window_scale ? WindowScaleOf(config_.persona) : 0;
  flow.peer_scale = options.window_scale.value_or(0);
  const uint16_t fallback =
      family == Family::kIpv4 ? kDefaultMssIpv4 : kDefaultMssIpv6;
  const uint16_t mss = std::min(
      LocalMss(flow), std::max(kMinMss, options.mss.value_or(fallback)));
  const size_t room = flow.timestamps ? wire::kTimestampOptionSize : 0;
  flow.most_payload = static_cast<uint16_t>(mss - room);
  flow.max_payload = flow.most_payload;
  flow.header.Set(flow.key, flow.header.link(), flow.flow_label,
                  flow.timestamps);
  BeginSmall(flow);
  SetUpStreams(flow);
}

// The window that the SYN or SYN-ACK of ours tells.
void OuterTcp::SetUpStreams(OuterFlow& flow) {
  const uint16_t mss = LocalMss(flow);
  const uint16_t room = flow.timestamps ? wire::kTimestampOptionSize : 0;
  const bool answer = flow.state != FlowState::kSynSent;
  flow.rcv_window = SynWindow(answer ? static_cast<uint16_t>(mss - room) : mss);
  flow.rcv_right = flow.rcv_window;
  flow.quick_acks = kQuickAcks;
}

// `isn`, if any, is the one that a connection of these endpoints in TIME-WAIT
// asks for.
OuterTcp::Received OuterTcp::ReceiveListenSyn(const Input& in,
                                              const FlowKey& key,
                                              std::optional<TcpSeq> isn) {
  const wire::LinkHeader link = in.frame.LinkBack();
  const bool full = totals_.half_open >= syn_budget_.half_open;
  OuterFlow* flow = full ? nullptr : NewFlow(key, link, in.now_us);
  if (flow == nullptr) {
    SendCookie(in, key);
    return Received{};
  }
  ++totals_.half_open;
  flow->state = FlowState::kSynReceived;
  flow->inbound = true;
  flow->iss = isn ? *isn : NewIsn(key, in.now_us);
  flow->syn_sent_us = in.now_us;
  TakeSyn(*flow, in.frame.tcp);
  SendSyn(*flow, in.now_us, in.out);
  return Consumed(*flow);
}

void OuterTcp::SendCookie(const Input& in, const FlowKey& key) {
  const wire::TcpView& tcp = in.frame.tcp;
  const uint16_t mss = LocalMss(key.family(), in.frame.leg);
  const bool timestamps = tcp.options.timestamps.has_value();
  ControlSegment segment{.link = in.frame.LinkBack(),
                         .flow_label = FlowLabel(key)};
  segment.tcp.seq =
      cookie_.Make(key, tcp.seq, tcp.options.mss.value_or(0), in.now_us);
  segment.tcp.ack = tcp.seq + 1;
  segment.tcp.flags = wire::kSyn | wire::kAck;
  segment.tcp.window = SynWindow(static_cast<uint16_t>(
      mss - (timestamps ? wire::kTimestampOptionSize : 0)));
  wire::TcpOptions& options = segment.tcp.options;
  options.mss = mss;
  if (timestamps) {
    const auto now = static_cast<uint32_t>(in.now_us / 1000);
    const auto offset =
        static_cast<uint32_t>(hash_.Of(HashUse::kTimestampOffset, key));
    options.timestamps = {SynCookie::EncodeOptions(tcp.options, now) + offset,
                          tcp.options.timestamps->value};
    options.sack_permitted = tcp.options.sack_permitted;
    if (tcp.options.window_scale)
      options.window_scale = WindowScaleOf(config_.persona);
  }
  if (Emit(MakeControlSegment(config_.pool, key, segment), in.out)) {
    ++totals_.cookies_sent;
    cookies_until_us_ = in.now_us + 2 * SynCookie::kPeriodUs;
  }
}

OuterTcp::Received OuterTcp::ReceiveCookieAck(const Input& in,
                                              const FlowKey& key) {
  wire::TcpView syn = in.frame.tcp;
  const TcpSeq client_isn = syn.seq + 0xffffffff;
  const TcpSeq cookie = syn.ack + 0xffffffff;
  const auto mss = cookie_.Check(key, client_isn, cookie, in.now_us);
  if (!mss.has_value()) return Drop(DropReason::kBadCookie);
  OuterFlow* flow = NewFlow(key, in.frame.LinkBack(), in.now_us);
  if (flow == nullptr) return Drop(DropReason::kFlowTableFull);
  ++totals_.half_open;
  ++totals_.cookies_accepted;
  flow->state = FlowState::kSynReceived;
  flow->inbound = true;
  flow->iss = cookie;
  // No time was measured; Establish takes it as repeated.
  flow->syn_tries = 2;
  // The SYN as it was, told by the cookie.
  const auto timestamps = syn.options.timestamps;
  syn.seq = client_isn;
  syn.options = {};
  if (timestamps.has_value()) {
    syn.options = SynCookie::DecodeOptions(timestamps->echo - flow->ts_offset);
    syn.options.timestamps = timestamps;
  }
  syn.options.mss = mss;
  TakeSyn(*flow, syn);
  return ReceiveSynReceived(*flow, in);
}

void OuterTcp::Establish(OuterFlow& flow, const wire::TcpView& tcp,
                         uint64_t now_us) {
  --totals_.half_open;
  flow.state = FlowState::kOpen;
  flow.backoff = 0;
  if (const auto rtt_us = SynRoundTrip(flow, tcp, now_us)) {
    MeasureRtt(flow, *rtt_us);
  }
  flow.rto_at_us = OuterFlow::kNever;
  const uint8_t scale = tcp.Has(wire::kSyn) ? 0 : flow.peer_scale;
  flow.snd_right = uint64_t{tcp.window} << scale;
  flow.snd_max_window = flow.snd_right;
  flow.ts_recent_us = now_us;
  flow.measure_from_us = now_us;
  flow.end_at_us = now_us + config_.unproven_timeout_us;
  Raise(flow, EventType::kEstablished);
  Rearm(flow);
}

OuterTcp::Received OuterTcp::ReceiveSynSent(OuterFlow& flow, const Input& in) {
  const wire::TcpView& tcp = in.frame.tcp;
  if (tcp.Has(wire::kAck) && tcp.ack != flow.iss + 1) {
    // The peer holds an old flow of these endpoints, or one that somebody
    // forged: a RST makes it forget that (RFC 9293 §3.10.7.3), unless it is
    // proven.
    if (!tcp.Has(wire::kRst)) SendReset(in, flow.key);
    Raise(flow, EventType::kResetHint);
    return DropOf(flow, DropReason::kBadAck);
  }
  if (tcp.Has(wire::kRst)) {
    if (!tcp.Has(wire::kAck)) return DropOf(flow, DropReason::kResetHint);
    const Received received = DropOf(flow, DropReason::kResetHint);
    Die(flow, EventType::kRefused);
    return received;
  }
  if (!tcp.Has(wire::kSyn)) return DropOf(flow, DropReason::kMalformed);
  if (tcp.Has(wire::kAck)) {
    TakeSyn(flow, tcp);
    Establish(flow, tcp, in.now_us);
    SendAck(flow, in.now_us, in.out);
    return Consumed(flow);
  }
  // The SYNs crossed (RFC 9293 §3.5).
  flow.state = FlowState::kSynReceived;
  flow.syn_tries = 0;
  flow.syn_sent_us = in.now_us;
  TakeSyn(flow, tcp);
  SendSyn(flow, in.now_us, in.out);
  return Consumed(flow);
}

OuterTcp::Received OuterTcp::ReceiveSynReceived(OuterFlow& flow,
                                                const Input& in) {
  const wire::TcpView& tcp = in.frame.tcp;
  if (tcp.Has(wire::kRst)) {
    const bool exact = tcp.seq == flow.irs + 1;
    const Received received =
        DropOf(flow, exact ? DropReason::kResetHint : DropReason::kOutOfWindow);
    if (exact) Die(flow, EventType::kRefused);
    return received;
  }
  const bool acked = tcp.Has(wire::kAck) && tcp.ack == flow.iss + 1;
  if (tcp.Has(wire::kSyn)) return ReceiveSecondSyn(flow, in, acked);
  if (!acked) {
    // A number that is not ours cannot end a flow of the true peer, whose
    // window it lies outside of (RFC 9293 §3.10.7.4).
    if (tcp.Has(wire::kAck) && flow.inbound) SendReset(in, flow.key);
    return DropOf(flow, DropReason::kBadAck);
  }
  const int32_t ahead = tcp.seq - (flow.irs + 1);
  if (ahead < 0 || ahead > static_cast<int32_t>(flow.rcv_right)) {
    return RefuseHalfOpen(flow, in);
  }
  Establish(flow, tcp, in.now_us);
  return ReceiveOpen(flow, in);
}

// What a Linux listener says for a connection that it keeps no socket for yet:
// IP ID 0, and the window rounded down.
OuterTcp::Received OuterTcp::RefuseHalfOpen(OuterFlow& flow, const Input& in) {
  if (!AnsweredLately(flow, in.now_us)) {
    ++totals_.challenge_acks;
    const ClosedFlow told = StateOf(flow);
    SendLoneAck(told, in);
  }
  return DropOf(flow, DropReason::kOutOfWindow);
}

// A SYN where one was received: the same again, the other half of crossing
// SYNs, or one of a peer that started again, who learns that there is a flow
// already, as anybody who forges one does.
OuterTcp::Received OuterTcp::ReceiveSecondSyn(OuterFlow& flow, const Input& in,
                                              bool acked) {
  const wire::TcpView& tcp = in.frame.tcp;
  if (tcp.seq != flow.irs) {
    if (!acked || flow.inbound) return RefuseHalfOpen(flow, in);
    // It acknowledges our SYN, which the other that crossed it did not, as
    // anybody can send one who knows the ports.
    TakeSyn(flow, tcp);
  }
  if (acked) {
    Establish(flow, tcp, in.now_us);
    SendAck(flow, in.now_us, in.out);
  } else if (!AnsweredLately(flow, in.now_us)) {
    SendSyn(flow, in.now_us, in.out);
  }
  return Consumed(flow);
}

}  // namespace lwt
