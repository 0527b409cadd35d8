#include "control/session/session.h"

#include <algorithm>
#include <utility>

#include "dataplane/exchange/snapshot.h"
#include "dataplane/lane/lane.h"
#include "dataplane/wire/record.h"

namespace lwt::peer {
namespace {

using handshake::ControlMessage;
using handshake::ControlType;
using handshake::RekeyAction;
using handshake::RekeyRole;
using loop::Cause;

// What the session counts and the workers count are the same things.
static_assert(handshake::Rekey::kOpenEpochs == session::kReceiveEpochs);
static_assert(handshake::Rekey::kHardLimit <= session::kEpochHardLimit);
static_assert(handshake::kMaxLanes == kMaxLanesPerPeer);

constexpr size_t kMaxControlPadding = 255;
// How often workers are looked at that have yet to install keys.
constexpr uint64_t kWorkersPollUs = 500;

const handshake::SecretKey& RootOf(const handshake::KeyPair& roots,
                                   RekeyRole role, bool send) {
  bool from_initiator = (role == RekeyRole::kInitiator) == send;
  return from_initiator ? roots.from_initiator : roots.from_responder;
}

MaskSecret MaskOf(const handshake::SecretKey& root, const SessionLane& lane) {
  return MaskSecret(
      handshake::DeriveMaskKey(root, lane.id, lane.nonces).bytes());
}

}  // namespace

Session::Session(const Context& context, FlowOwner& owner, PeerIndex peer,
                 std::string name, handshake::SessionSecrets secrets,
                 uint64_t now_us)
    : context_(context),
      owner_(owner),
      peer_(peer),
      name_(std::move(name)),
      secrets_(std::move(secrets)),
      rekey_(context.role, context.rekey, std::move(secrets_.roots), now_us),
      created_us_(now_us),
      own_mtu_(secrets_.mtu),
      peer_mtu_(secrets_.mtu),
      told_mtu_(secrets_.mtu) {}

Session::~Session() {
  context_.road.peers.Forget(*this);
  while (!lanes_.empty()) RemoveLane(lanes_.back().name);
}

EpochKeys Session::KeysOf(const SessionLane& lane, uint32_t epoch,
                          bool send) const {
  const handshake::KeyPair* roots = rekey_.Roots(epoch);
  handshake::LaneKey derived = handshake::DeriveLaneKey(
      RootOf(*roots, context_.role, send), lane.id, lane.nonces, epoch);
  return {epoch, SecretBytes<32>(derived.key.bytes()),
          SecretBytes<12>(derived.iv.bytes())};
}

bool Session::InstallLane(SessionLane lane, uint32_t epoch, uint64_t now_us,
                          uint64_t old_lane_us) {
  const handshake::KeyPair* roots = rekey_.Roots(epoch);
  if (roots == nullptr) return false;
  const std::optional<LaneName> name =
      context_.road.peers.TakeLane(lane.flow.worker());
  if (!name) return false;
  lane.name = *name;
  lane.installed_us = now_us;
  std::vector<uint32_t> epochs = rekey_.OpenEpochs();

  InstallLaneCommand install;
  install.peer = peer_;
  install.flow = lane.flow;
  install.tuning = tuning_;
  install.send = KeysOf(lane, rekey_.send_epoch(), true);
  install.receive = KeysOf(lane, epochs.front(), false);
  install.send_mask = MaskOf(RootOf(*roots, context_.role, true), lane);
  install.receive_mask = MaskOf(RootOf(*roots, context_.role, false), lane);
  SendTo(lane, std::move(install));
  for (size_t i = 1; i < epochs.size(); ++i) {
    SendTo(lane,
           InstallReceiveEpochCommand{.keys = KeysOf(lane, epochs[i], false)});
  }
  context_.road.owners.OwnFlow(lane.flow, owner_);
  context_.road.owners.OwnLane(lane.name, owner_);
  newest_lane_ids_[lane.slot.value] =
      std::max(newest_lane_ids_[lane.slot.value], lane.id);
  context_.host.FollowNextHop(lane.flow,
                              {lane.local, lane.remote.address, lane.leg});
  for (SessionLane& old : lanes_) {
    if (old.slot != lane.slot) continue;
    old.remove_at_us = std::min(old.remove_at_us, now_us + old_lane_us);
  }
  lanes_.push_back(lane);
  context_.road.peers.LanesChanged(peer_);
  return true;
}

bool Session::Opens(const SessionLane& lane, uint32_t epoch,
                    std::span<const uint8_t> record) const {
  const handshake::KeyPair* roots = rekey_.Roots(epoch);
  if (roots == nullptr) return false;
  OpeningKeys keys;
  keys.mask = MaskOf(RootOf(*roots, context_.role, false), lane);
  for (uint32_t open : rekey_.OpenEpochs()) {
    keys.epochs.push_back(KeysOf(lane, open, false));
  }
  return link().Opens(keys, record);
}

void Session::RemoveLane(LaneName name, bool close_flow) {
  auto lane =
      std::find_if(lanes_.begin(), lanes_.end(),
                   [&](const SessionLane& held) { return held.name == name; });
  if (lane == lanes_.end()) return;
  removed_.Add(link().ReadLane(name));
  context_.road.owners.ForgetLane(name);
  context_.road.owners.ForgetFlow(lane->flow, owner_);
  context_.host.ForgetNextHop(lane->flow);
  SendTo(*lane, RemoveLaneCommand{.close_flow = close_flow});
  context_.road.peers.GiveLane(name);
  loss_pool_.Forget(name);
  lanes_.erase(lane);
  context_.road.peers.LanesChanged(peer_);
}

void Session::OnRecord(uint8_t kind, std::span<const uint8_t> bytes,
                       uint64_t now_us) {
  if (kind == static_cast<uint8_t>(wire::RecordKind::kClose)) {
    OnClose(bytes);
    return;
  }
  if (!messages_.Take(kMessages, now_us)) return;
  peer_spoke_ = true;
  std::vector<ControlMessage> delivered;
  const auto content = handshake::ParseControlRecord(bytes);
  if (!content || !channel_.Receive(*content, &delivered)) {
    context_.log.Warn(Cause::Peer(name_), name_,
                      ": a control message that cannot be read");
    return;
  }
  for (const ControlMessage& message : delivered) Deliver(message, now_us);
  Flush(now_us);
}

void Session::OnClose(std::span<const uint8_t> bytes) {
  std::string text;
  if (bytes.size() > 1) {
    text.assign(reinterpret_cast<const char*>(bytes.data()) + 1,
                std::min<size_t>(bytes.size() - 1, 200));
  }
  replaced_ =
      !bytes.empty() &&
      bytes.front() == static_cast<uint8_t>(handshake::CloseReason::kReplaced);
  end_reason_ = "the peer closed the session";
  if (!text.empty()) end_reason_ += ": " + text;
}

void Session::Deliver(const ControlMessage& message, uint64_t now_us) {
  if (const auto* handler = context_.messages.Find(message.type)) {
    const bool good = handler->take(*this, message.body, now_us);
    if (!good && !handler->breach.empty()) end_reason_ = handler->breach;
    return;
  }
  unsigned type = static_cast<unsigned>(message.type);
  context_.log.Warn(Cause::Peer(name_), name_,
                    ": a control message of unknown type ", type,
                    "; its version is newer than ours");
  Notify(handshake::NoticeCode::kUnknownType,
         config::Concat("control message of unknown type ", type));
}

bool Session::Queue(ControlType type, handshake::ByteVector body) {
  const bool queued = channel_.Send(type, std::move(body));
  if (!queued) end_reason_ = "the peer acknowledges no control message";
  owner_.OnSessionDue();
  return queued;
}

void Session::TakeNotice(const handshake::Notice& notice, uint64_t now_us) {
  if (notice.code == handshake::NoticeCode::kSameKey) twin_told_us_ = now_us;
  context_.log.Warn(Cause::Peer(name_), name_, " says: ", notice.text);
}

// One that finds no room is no harm.
void Session::Notify(handshake::NoticeCode code, std::string text) {
  channel_.Send(ControlType::kNotice,
                handshake::Notice{code, std::move(text)}.Build());
}

void Session::OnEvent(const Event& event, uint64_t now_us) {
  if (event.kind == EventKind::kPathChanged) return FollowPath(now_us);
  std::vector<RekeyAction> actions;
  if (event.kind == EventKind::kEpochDue) {
    rekey_.Tick(now_us, rekey_.max_records(), &actions);
  } else if (event.kind == EventKind::kEpochSpent) {
    rekey_.Tick(now_us, handshake::Rekey::kHardLimit, &actions);
  } else if (event.kind == EventKind::kUnknownKind) {
    unsigned kind = event.detail;
    context_.log.Warn(Cause::Peer(name_), name_, ": a record of unknown kind ",
                      kind, "; its version is newer than ours");
    Notify(handshake::NoticeCode::kText,
           config::Concat("record of unknown kind ", kind));
  }
  Apply(actions);
  Flush(now_us);
}

// The peer hears of new receive keys by what is sent next.
void Session::Apply(const std::vector<RekeyAction>& actions) {
  for (const RekeyAction& action : actions) {
    switch (action.kind) {
      case RekeyAction::Kind::kSend:
        Queue(action.type, action.body);
        break;
      case RekeyAction::Kind::kInstallReceive:
        ++receive_epochs_;
        ApplyToLanes(action);
        unopened_ = link().Mark();
        break;
      case RekeyAction::Kind::kSwitchSend:
        ++send_epochs_;
        context_.log.Debug(Cause::Peer(name_), name_,
                           ": sealing with key epoch ", action.epoch);
        ApplyToLanes(action);
        break;
      case RekeyAction::Kind::kRetire:
        ApplyToLanes(action);
        break;
      case RekeyAction::Kind::kGiveUp:
        end_reason_ = "the session's keys are used up and were not renewed";
        break;
    }
  }
}

void Session::ApplyToLanes(const RekeyAction& action) {
  for (const SessionLane& lane : lanes_) {
    if (action.kind == RekeyAction::Kind::kRetire) {
      SendTo(lane, RetireReceiveEpochCommand{.epoch = action.epoch});
    } else if (rekey_.Roots(action.epoch) == nullptr) {
      continue;
    } else if (action.kind == RekeyAction::Kind::kInstallReceive) {
      SendTo(lane, InstallReceiveEpochCommand{
                       .keys = KeysOf(lane, action.epoch, false)});
    } else {
      SendTo(lane,
             SwitchSendEpochCommand{.keys = KeysOf(lane, action.epoch, true)});
    }
  }
}

void Session::OnReset(FlowId flow, uint64_t rto_us, uint64_t now_us) {
  for (SessionLane& lane : lanes_) {
    if (lane.flow == flow) lane.trial.Begin(rto_us, now_us);
  }
  TickTrials(now_us);
}

void Session::TickTrials(uint64_t now_us) {
  std::vector<LaneName> over;
  for (SessionLane& lane : lanes_) {
    const uint64_t heard_us = link().ReadLane(lane.name).last_rx_us;
    const ResetTrial::Step step = lane.trial.Tick(heard_us, now_us);
    if (step == ResetTrial::Step::kProbe) Probe(lane.name);
    if (step != ResetTrial::Step::kOver) continue;
    over.push_back(lane.name);
    context_.log.Info(Cause::Peer(name_), name_, ": ", ToString(lane.remote),
                      " is somebody else's now: a RST came, and no answer "
                      "to three probes");
  }
  for (const LaneName name : over) RemoveLane(name, /*close_flow=*/false);
}

void Session::OnTimer(uint64_t now_us) {
  TickTrials(now_us);
  std::vector<LaneName> due;
  for (const SessionLane& lane : lanes_) {
    if (lane.remove_at_us <= now_us) due.push_back(lane.name);
  }
  for (const LaneName name : due) {
    RemoveLane(name, context_.role == RekeyRole::kInitiator);
  }
  std::vector<RekeyAction> actions;
  rekey_.Tick(now_us, 0, &actions);
  Apply(actions);
  TellPath(now_us);
  Flush(now_us);
}

void Session::Measure(uint64_t now_us) {
  const SessionLane* lane = sending_lane();
  if (lane == nullptr || now_us < next_measure_us_) return;
  const LaneReading reading = link().ReadLane(lane->name);
  const uint64_t used = std::max(reading.last_data_tx_us, lane->installed_us);
  if (used + kMeasureUs < now_us) return;
  // The answer has to be there before the next probe, which it would not match.
  next_measure_us_ = now_us + std::max(kMeasureUs, 2 * reading.srtt_us);
  Probe(lane->name);
}

void Session::ShareLoss(uint64_t now_us) {
  if (lanes_.size() < 2 || now_us < next_share_us_) return;
  next_share_us_ = now_us + kShareUs;
  loss_pool_.Age(now_us);
  for (const SessionLane& lane : lanes_) {
    loss_pool_.Add(lane.name, link().ReadLane(lane.name));
  }
  const std::optional<double> loss = loss_pool_.loss();
  if (!loss) return;
  for (const SessionLane& lane : lanes_) {
    SendTo(lane, TellLossCommand{.loss = *loss});
  }
}

void Session::SetTuning(const PeerTuning& tuning) {
  if (tuning == tuning_) return;
  tuning_ = tuning;
  for (const SessionLane& lane : lanes_) {
    SendTo(lane, TuneLaneCommand{.tuning = tuning_});
  }
}

void Session::Probe(LaneName lane) {
  link().Send(lane.worker, ProbeLaneCommand{lane.index, ++probe_token_});
}

void Session::SetSuspect(LaneName name, bool suspect) {
  for (SessionLane& lane : lanes_) {
    if (lane.name == name) lane.suspect = suspect;
  }
  context_.road.peers.LanesChanged(peer_);
}

// A worker carries out its commands in order, so where all lanes are of one
// there is nothing to wait for.
bool Session::WaitsForWorkers(uint64_t now_us) {
  const auto elsewhere = [&](const SessionLane& lane) {
    return lane.name.worker != lanes_.front().name.worker;
  };
  if (!unopened_ || std::none_of(lanes_.begin(), lanes_.end(), elsewhere) ||
      link().Passed(*unopened_)) {
    unopened_.reset();
    next_flush_us_ = UINT64_MAX;
    return false;
  }
  next_flush_us_ = now_us + kWorkersPollUs;
  return true;
}

void Session::Flush(uint64_t now_us) {
  const SessionLane* lane = sending_lane();
  if (lane == nullptr || now_us < first_word_us() || WaitsForWorkers(now_us)) {
    return;
  }
  while (std::optional<handshake::ByteVector> bytes = channel_.Poll(now_us)) {
    SendTo(*lane, SendRecordCommand{
                      .kind = static_cast<uint8_t>(wire::RecordKind::kControl),
                      .bytes = handshake::BuildControlRecord(
                          *bytes, handshake::RandomUpTo(context_.rekey.random,
                                                        kMaxControlPadding))});
  }
}

void Session::SendClose(std::string_view reason, handshake::CloseReason code) {
  std::vector<uint8_t> bytes = {static_cast<uint8_t>(code)};
  bytes.insert(bytes.end(), reason.begin(), reason.end());
  for (const SessionLane& lane : lanes_) {
    SendTo(lane, SendRecordCommand{
                     .kind = static_cast<uint8_t>(wire::RecordKind::kClose),
                     .bytes = bytes});
  }
}

uint64_t Session::NextDeadline() const {
  if (!end_reason_.empty()) return 0;  // to be dropped
  uint64_t next = rekey_.NextDeadline();
  if (own_mtu_ != told_mtu_) next = std::min(next, next_tell_us_);
  if (unopened_) {
    next = std::min(next, next_flush_us_);
  } else if (!lanes_.empty()) {
    next = std::min(next, std::max(channel_.NextDeadline(), first_word_us()));
  }
  for (const SessionLane& lane : lanes_) {
    next = std::min({next, lane.remove_at_us, lane.trial.due_us()});
  }
  return next;
}

const SessionLane* Session::sending_lane() const {
  const SessionLane* best = nullptr;
  uint64_t best_heard_us = 0;
  for (const SessionLane* lane : SendingLanes()) {
    const uint64_t heard_us =
        std::max(link().ReadLane(lane->name).last_rx_us, lane->installed_us);
    if (best != nullptr && heard_us < best_heard_us) continue;
    best = lane;
    best_heard_us = heard_us;
  }
  return best;
}

std::vector<const SessionLane*> Session::SendingLanes() const {
  std::vector<const SessionLane*> sending;
  for (const SessionLane& lane : lanes_) {
    if (LaneOfSlot(lane.slot) == &lane) sending.push_back(&lane);
  }
  const auto is_suspect = [](const SessionLane* lane) { return lane->suspect; };
  if (!std::all_of(sending.begin(), sending.end(), is_suspect)) {
    std::erase_if(sending, is_suspect);
  }
  return sending;
}

const SessionLane* Session::LaneOfSlot(handshake::LaneSlot slot) const {
  const auto newest =
      std::find_if(lanes_.rbegin(), lanes_.rend(),
                   [&](const SessionLane& lane) { return lane.slot == slot; });
  return newest == lanes_.rend() ? nullptr : &*newest;
}

const SessionLane* Session::FindFlow(FlowId flow) const {
  for (const SessionLane& lane : lanes_) {
    if (lane.flow == flow) return &lane;
  }
  return nullptr;
}

Session::Activity Session::LastActivity() const {
  Activity last{.heard_us = std::max(removed_.last_rx_us, created_us_)};
  for (const SessionLane& lane : lanes_) {
    const LaneReading reading = link().ReadLane(lane.name);
    last.heard_us = std::max(last.heard_us, reading.last_rx_us);
    last.sent_us = std::max(last.sent_us, reading.last_data_tx_us);
    last.used_us = std::max({last.used_us, last.sent_us, lane.installed_us});
  }
  return last;
}

LaneReading Session::Totals() const {
  LaneReading sum = removed_;
  uint64_t newest_us = 0;
  for (const SessionLane& lane : lanes_) {
    LaneReading reading = link().ReadLane(lane.name);
    sum.Add(reading);
    if (reading.srtt_us != 0) newest_us = reading.srtt_us;
  }
  sum.srtt_us = newest_us;
  return sum;
}

}  // namespace lwt::peer
