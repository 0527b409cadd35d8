// HubSessions: from an unproven flow to a session or a lane of one.
#include <algorithm>
#include <utility>

#include "control/base/text.h"
#include "control/hub/hub_sessions.h"

namespace lwt::peer {
namespace {

using handshake::ByteVector;
using handshake::HubProgress;
using handshake::PeerOffer;
using handshake::PublicKey;
using handshake::SessionSecrets;
using handshake::Verdict;
using handshake::VerdictCode;
using loop::Cause;

// One address of IPv4, or one /64, which a host may use up alone.
bool IsOneHost(const IpAddress& a, const IpAddress& b) {
  return IpPrefix{a, static_cast<uint8_t>(a.family == Family::kIpv4 ? 32 : 64)}
      .Contains(b);
}

}  // namespace

std::string HubSessions::NameOf(const SessionSecrets& secrets) const {
  std::string name = "client";
  const std::string_view own = config_.rules.NameOf(secrets.peer_key);
  if (!own.empty()) name += config::Concat(" ", own);
  for (const IpPrefix& prefix : secrets.peer.addresses) {
    name += " " + ToString(prefix.address);
  }
  return name;
}

void HubSessions::OpenFlow(const Event& event, uint64_t now_us) {
  if (HubFlow* pushed_out = unproven_.PushedOut(event.remote.address)) {
    link().Send(CloseFlowCommand{pushed_out->flow()});
    unproven_.Remove(*pushed_out);
  }
  unproven_.Add(event.flow, event.remote.address)
      .Open(flow_context_, event, now_us);
}

// A flow that is over has been closed, and nothing of it is needed here.
void HubSessions::Advance(HubFlow& flow, uint64_t now_us) {
  switch (flow.state()) {
    case HubFlow::State::kAwaitVerdict:
      Decide(flow, now_us);
      break;
    case HubFlow::State::kJoinAsked:
      OnJoinAsked(flow, now_us);
      break;
    case HubFlow::State::kJoinSaid:
      OnJoinSaid(flow, now_us);
      break;
    default:
      break;
  }
  const HubFlow::State state = flow.state();
  if (state == HubFlow::State::kFree || state == HubFlow::State::kTaken ||
      state == HubFlow::State::kOver) {
    unproven_.Remove(flow);
  }
}

// A session's mask stays that of the key that it began by.
HubSessions::Client* HubSessions::FindByJoin(
    const handshake::HelloFields& hello) {
  for (const handshake::KeyRing::Key& key : config_.door.keys->keys()) {
    const uint64_t id = handshake::LaneJoinSessionId(key.join_mask, hello);
    if (Client* client = FindBySessionId(id)) return client;
  }
  return nullptr;
}

// By our clock as it is, or as it was when the session was made and went on
// from there: one that was set wrong since keeps nobody out who is in, and one
// that was set right does neither.
std::optional<handshake::LaneJoinBlob> HubSessions::OpenJoin(
    const Client& client, const handshake::HelloFields& hello,
    uint64_t now_us) {
  const Session& session = *client.session;
  const uint64_t age_ms = (now_us - session.created_us()) / 1000;
  for (const uint64_t unix_ms :
       {config_.host.UnixMs(), client.began_unix_ms + age_ms}) {
    auto blob = handshake::OpenLaneJoin(session.secrets().join_keys, hello,
                                        session.newest_lane_ids(), unix_ms);
    if (blob) return blob;
  }
  return std::nullopt;
}

void HubSessions::OnJoinAsked(HubFlow& flow, uint64_t now_us) {
  Client* client = FindByJoin(flow.hello());
  std::optional<handshake::LaneJoinBlob> blob;
  if (client != nullptr) blob = OpenJoin(*client, flow.hello(), now_us);
  if (!blob) {
    flow.Fail(
        "it did not prove the key (wrong key, a session we do not know, or "
        "too many failures from its address)",
        now_us);
    return;
  }
  if (!config_.road.peers.HasLane(flow.flow().worker())) {
    flow.Refuse("no lane is free for it", now_us);
    return;
  }
  const uint64_t id = client->session->secrets().session_id;
  const std::vector<HubFlow*> joins = JoinsOf(id, blob->lane_id);
  HubFlow* const gives = GivesWay(joins, flow.remote().address);
  if ((joins.size() >= kMaxJoins && gives == nullptr) ||
      !client->joins.Take(blob->lane_id)) {
    flow.Fail("it is one of too many that repeat a hello", now_us);
    return;
  }
  if (gives != nullptr) {
    gives->Refuse("others repeat its hello", now_us);
    unproven_.Remove(*gives);
  }
  flow.AnswerJoin(id,
                  handshake::AnswerLaneJoin(
                      client->session->secrets().join_keys, flow.hello(), *blob,
                      client->session->send_epoch(), config_.rekey.random),
                  now_us);
}

std::vector<HubFlow*> HubSessions::JoinsOf(uint64_t session_id,
                                           handshake::LaneId lane_id) {
  std::vector<HubFlow*> joins;
  unproven_.ForEach([&](HubFlow& flow) {
    if (flow.Joins(session_id, lane_id)) joins.push_back(&flow);
  });
  return joins;
}

// Where all places are taken, the source that has most of them gives up its
// newest, unless the new one's would then have as many: who repeats a hello
// does not keep out the one that it is from. That one comes first of its own
// address, since nobody repeats what was not said. Null: none.
HubFlow* HubSessions::GivesWay(const std::vector<HubFlow*>& joins,
                               const IpAddress& source) {
  if (joins.size() < kMaxJoins) return nullptr;
  const auto of_source = [&](const IpAddress& address) {
    return std::count_if(joins.begin(), joins.end(), [&](const HubFlow* flow) {
      return IsOneHost(flow->remote().address, address);
    });
  };
  const auto ranks = [&](const HubFlow* flow) {
    return std::pair(of_source(flow->remote().address), flow->deadline_us());
  };
  HubFlow* const gives = *std::max_element(
      joins.begin(), joins.end(),
      [&](const HubFlow* a, const HubFlow* b) { return ranks(a) < ranks(b); });
  const bool more = of_source(gives->remote().address) > of_source(source) + 1;
  return more ? gives : nullptr;
}

void HubSessions::EndOtherJoins(const HubFlow& winner, uint64_t now_us) {
  unproven_.ForEach([&](HubFlow& flow) {
    if (&flow == &winner ||
        !flow.Joins(winner.session_id(), winner.joined().lane_id)) {
      return;
    }
    flow.Refuse("another flow proved to be the lane", now_us);
    unproven_.Remove(flow);
  });
}

// The oldest that was replaced goes before its time.
void HubSessions::MakeRoomForLane(Session& session) {
  const auto is_old = [&](const SessionLane& lane) {
    return session.LaneOfSlot(lane.slot) != &lane;
  };
  const std::vector<SessionLane>& lanes = session.lanes();
  while (static_cast<size_t>(std::count_if(lanes.begin(), lanes.end(),
                                           is_old)) >= kMaxOldLanes) {
    session.RemoveLane(std::find_if(lanes.begin(), lanes.end(), is_old)->name);
  }
}

// A record that verifies makes the flow a lane; until then the session has not
// changed, and nothing was sent on the flow but the answer.
void HubSessions::OnJoinSaid(HubFlow& flow, uint64_t now_us) {
  Client* client = FindBySessionId(flow.session_id());
  if (client == nullptr) {
    flow.Refuse("its session is gone", now_us);
    return;
  }
  Session& session = *client->session;
  SessionLane lane;
  lane.id = flow.joined().lane_id;
  lane.slot = flow.joined().slot;
  lane.flow = flow.flow();
  lane.local = flow.local();
  lane.remote = flow.remote();
  lane.leg = flow.leg();
  lane.nonces = flow.joined().nonces;
  if (lane.id <= session.newest_lane_ids()[lane.slot.value]) {
    flow.Refuse("a newer lane has its slot", now_us);
    return;
  }
  if (!session.Opens(lane, flow.joined().epoch, flow.first_record())) {
    flow.Fail("its first record does not verify", now_us);
    return;
  }
  EndOtherJoins(flow, now_us);
  MakeRoomForLane(session);
  if (!session.InstallLane(lane, flow.joined().epoch, now_us, kOldLaneUs)) {
    flow.Refuse("no lane is free for it", now_us);
    return;
  }
  MoveTo(*client, lane.remote, now_us);
  config_.road.peers.Change(client->peer).device_mtu =
      config_.host.MaxInnerMtu(lane.remote);
  LookSoon(*client, now_us);
  flow.HandOver();
  log_.Tell(loop::LogLevel::kInfo, Cause::Peer(session.name()),
            loop::EventKind::kPath, session.name(), ": lane ",
            lane.slot.value + 1, " of ", unsigned{session.secrets().lanes},
            " is a new flow from ", ToString(lane.remote));
}

// For a lane of that worker: one is free, or becomes so with the session that
// it takes the place of. Who finds none must not cost that one.
bool HubSessions::HasRoom(const Client* before, WorkerIndex worker) {
  if (config_.road.peers.HasLane(worker)) return true;
  if (before == nullptr) return false;
  const std::vector<SessionLane>& lanes = before->session->lanes();
  return std::any_of(lanes.begin(), lanes.end(), [&](const SessionLane& lane) {
    return lane.name.worker == worker;
  });
}

Verdict HubSessions::Judge(const PublicKey& key, const PeerOffer& offer,
                           bool newest_key, WorkerIndex worker,
                           uint64_t now_us) {
  if (offer.version != handshake::kProtocolVersion) {
    return {VerdictCode::kVersion,
            config::Concat("this hub speaks protocol version ",
                           unsigned{handshake::kProtocolVersion}, ", not ",
                           unsigned{offer.version})};
  }
  if (config_.banned.contains(key)) {
    return {VerdictCode::kBanned, "this client was banned by the operator"};
  }
  if (!newest_key && config_.rotation != nullptr) {
    const std::string refusal = config_.rotation->Refusal(key);
    if (!refusal.empty()) return {VerdictCode::kKeyRotated, refusal};
  }
  const Client* const before = FindByKey(key);
  const bool known = before != nullptr;
  const size_t there = clients_.size() - free_.size();
  const bool others = there > (known ? 1u : 0u);
  if (!config_.multi_client && others) {
    return {VerdictCode::kSecondKeyRefused,
            "this hub serves one client (multi_client = false), and another "
            "one is connected"};
  }
  if ((!known && there >= config_.max_clients) || !HasRoom(before, worker)) {
    return {VerdictCode::kFull,
            config::Concat("this hub serves ", config_.max_clients,
                           " clients already (max_clients)")};
  }
  return offer.addresses.empty() ? book_.Lease(key, now_us)
                                 : book_.Check(key, offer.addresses, now_us);
}

void HubSessions::Decide(HubFlow& flow, uint64_t now_us) {
  handshake::HubHandshake& handshake = flow.handshake();
  const PublicKey key = handshake.peer_key();
  Verdict verdict = Judge(key, handshake.peer(), handshake.newest_key(),
                          flow.flow().worker(), now_us);
  bool accepted = verdict.code == VerdictCode::kAccepted;
  ByteVector bytes;
  HubProgress progress = handshake.Finish(verdict, &bytes);
  if (!accepted || progress != HubProgress::kDone) {
    const std::string_view name = config_.rules.NameOf(key);
    log_.Tell(loop::LogLevel::kInfo, Cause::Stranger(flow.remote().address),
              loop::EventKind::kPeerRefused, "client ", name,
              name.empty() ? "" : " ", handshake::PublicKeyToText(key), " at ",
              ToString(flow.remote()), " was refused: ", verdict.text);
    flow.SendVerdict(std::move(bytes), false);
    return;
  }
  Admit(flow, handshake.TakeSession(), std::move(bytes), now_us);
}

// By our own way to the client: what it offers is nobody else's business.
PeerTable::Entry HubSessions::EntryOf(const SessionSecrets& secrets,
                                      const Endpoint& remote) const {
  PeerTable::Entry entry;
  entry.addresses = secrets.peer.addresses;
  entry.networks = NetworksBehind(secrets.peer_key);
  entry.device_mtu = config_.host.MaxInnerMtu(remote);
  entry.isolated = config_.rules.IsIsolated(secrets.peer_key);
  return entry;
}

// Null where there is no room for it.
std::unique_ptr<Session> HubSessions::MakeSession(Client& client,
                                                  const HubFlow& flow,
                                                  SessionSecrets secrets,
                                                  uint64_t now_us) {
  const std::optional<PeerIndex> peer =
      config_.road.peers.Add(EntryOf(secrets, flow.remote()));
  if (!peer) return nullptr;
  SessionLane lane;
  lane.flow = flow.flow();
  lane.local = flow.local();
  lane.remote = flow.remote();
  lane.leg = flow.leg();
  lane.nonces = secrets.lane0;
  std::string name = NameOf(secrets);
  auto session =
      std::make_unique<Session>(SessionContext(), client, *peer,
                                std::move(name), std::move(secrets), now_us);
  session->SetTuning(config_.rules.TuningOf(session->secrets().peer_key));
  if (!session->InstallLane(lane, 0, now_us, kOldLaneUs)) {
    config_.road.peers.Remove(*peer);
    return nullptr;
  }
  config_.road.peers.Change(*peer).session = session.get();
  return session;
}

// Its session goes, for one that somebody with its key has from `remote`. If
// that is not itself, it is told, and keeps away for a while.
void HubSessions::Replace(Client& client, const Endpoint& remote,
                          uint64_t now_us) {
  const std::string name = client.session->name();
  const bool known = client.twins.seen(now_us);
  // A worker may have heard it since this turn began.
  const uint64_t heard_us =
      std::min(client.session->LastActivity().heard_us, now_us);
  client.twins.OnReplaced(client.remote.address, remote.address,
                          now_us - heard_us, now_us);
  if (!known && client.twins.seen(now_us)) {
    log_.Warn(Cause::Peer(name), name, ": two hosts have its static key, at ",
              ToString(client.remote), " and ", ToString(remote),
              ", and take each other's place; on one of them delete "
              "static.key in the state directory");
  }
  client.session->SendClose(
      config::Concat("one with the same static key came from ",
                     ToString(remote)),
      handshake::CloseReason::kReplaced);
  Drop(client, "it came back and is replaced", now_us);
}

// The verdict leaves once all workers know of the client: what it sends when it
// has read it is let in.
void HubSessions::Admit(HubFlow& flow, SessionSecrets secrets,
                        ByteVector verdict, uint64_t now_us) {
  Client* client = FindByKey(secrets.peer_key);
  if (client != nullptr) {
    Replace(*client, flow.remote(), now_us);
  } else {
    client = &clients_[*free_.begin()];
    client->twins = TwinWatch();
  }
  const std::string key = handshake::PublicKeyToText(secrets.peer_key);
  const uint16_t mtu = secrets.mtu;
  const PublicKey peer_key = secrets.peer_key;
  const bool newest_key = flow.handshake().newest_key();
  const bool old_key = flow.handshake().old_key();
  config_.road.peers.Hold(flow.flow());
  auto session = MakeSession(*client, flow, std::move(secrets), now_us);
  if (session == nullptr) {
    flow.Refuse("no lane is free for it", now_us);
    return;
  }
  const uint32_t at = SlotOf(*client);
  client->peer = session->peer();
  client->addresses = session->secrets().peer.addresses;
  client->remote = flow.remote();
  client->rtt_us = 0;
  client->began_unix_ms = config_.host.UnixMs();
  client->liveness.emplace(config_.rekey.random, now_us,
                           Liveness::WhenIdle::kLeave);
  client->joins = JoinBudget();
  book_.Bind(session->secrets().peer_key, client->addresses,
             client->remote.address, now_us);
  client->session = std::move(session);
  free_.erase(at);
  BeginRoutes(*client, now_us);
  // Though it be empty: what a hub before said no longer counts.
  client->session->Send(config_.names);
  index_.NoteSession(client->session->secrets().session_id,
                     client->session->secrets().peer_key, at);
  LookSoon(*client, now_us);
  flow.SendVerdict(std::move(verdict), true);
  flow.HandOver();
  const std::string& name = client->session->name();
  log_.Tell(loop::LogLevel::kInfo, Cause::Peer(name), loop::EventKind::kPeerUp,
            name, " up: ", ToString(client->remote), ", key ", key,
            ", inner MTU ", mtu, old_key ? ", by a shared key of before" : "");
  if (config_.rotation != nullptr) {
    config_.rotation->OnConnected(
        peer_key, {.newest_key = newest_key,
                   .understands = handshake::NewKey::kUnderstoodBy(
                       client->session->secrets().peer)});
  }
}

}  // namespace lwt::peer
