// HubSessions: from an unproven flow to a session or a lane of one.
#include <algorithm>
#include <utility>

#include "control/config/text.h"
#include "control/peer/hub_sessions.h"

namespace lwt::peer {
namespace {

using handshake::ByteVector;
using handshake::HubProgress;
using handshake::PeerOffer;
using handshake::PublicKey;
using handshake::SessionSecrets;
using handshake::Verdict;
using handshake::VerdictCode;

std::string NameOf(const SessionSecrets& secrets) {
  std::string name = "client";
  for (const IpPrefix& prefix : secrets.peer.addresses) {
    name += " " + ToString(prefix.address);
  }
  return name;
}

}  // namespace

void HubSessions::OpenFlow(const Event& event, uint64_t now_us) {
  if (HubFlow* pushed_out = unproven_.PushedOut(event.remote.address)) {
    config_.link.Send(CloseFlowCommand{pushed_out->flow()});
    unproven_.Remove(*pushed_out);
  }
  unproven_.Add(event.flow, event.remote.address)
      .Open(flow_context_, event.flow, event.local, event.remote, now_us);
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
    case HubFlow::State::kJoinDone:
      OnJoinDone(flow, now_us);
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

void HubSessions::OnJoinAsked(HubFlow& flow, uint64_t now_us) {
  uint64_t id =
      handshake::LaneJoinSessionId(config_.join_mask_key, flow.hello());
  Client* client = FindBySessionId(id);
  std::optional<handshake::LaneJoinBlob> blob;
  if (client != nullptr) {
    blob = handshake::OpenLaneJoin(
        client->session->secrets().join_keys, flow.hello(),
        client->session->highest_lane_id(), client->session->secrets().lanes,
        config_.host.UnixMs());
  }
  if (!blob) {
    flow.Refuse(
        "it did not prove the key (wrong key, or a session we do not "
        "know)",
        now_us);
    return;
  }
  client->session->UseLaneId(blob->lane_id);
  if (slots_.empty(flow.flow().worker())) {
    flow.Refuse("no lane is free for it", now_us);
    return;
  }
  flow.AnswerJoin(id,
                  handshake::AnswerLaneJoin(
                      client->session->secrets().join_keys, flow.hello(), *blob,
                      client->session->send_epoch(), config_.rekey.random));
}

// The oldest that was replaced goes before its time.
void HubSessions::MakeRoomForLane(Session& session) {
  const auto is_old = [&](const SessionLane& lane) {
    return session.LaneOfSlot(lane.slot) != &lane;
  };
  const std::vector<SessionLane>& lanes = session.lanes();
  while (static_cast<size_t>(std::count_if(lanes.begin(), lanes.end(),
                                           is_old)) >= kMaxOldLanes) {
    session.RemoveLane(std::find_if(lanes.begin(), lanes.end(), is_old)->index);
  }
}

void HubSessions::OnJoinDone(HubFlow& flow, uint64_t now_us) {
  Client* client = FindBySessionId(flow.session_id());
  if (client == nullptr) {
    flow.Refuse("its session is gone", now_us);
    return;
  }
  Session& session = *client->session;
  MakeRoomForLane(session);
  SessionLane lane;
  lane.id = flow.joined().lane_id;
  lane.slot = flow.joined().slot;
  lane.flow = flow.flow();
  lane.local = flow.local();
  lane.remote = flow.remote();
  lane.nonces = flow.joined().nonces;
  if (!session.InstallLane(lane, flow.joined().epoch, now_us, kOldLaneUs)) {
    flow.Refuse("no lane is free for it", now_us);
    return;
  }
  client->remote = lane.remote;
  Publish();
  flow.HandOver();
  log_.Info(session.name(), ": lane ", lane.slot + 1, " of ",
            unsigned{session.secrets().lanes}, " is a new flow from ",
            ToString(lane.remote));
}

Verdict HubSessions::Judge(const PublicKey& key, const PeerOffer& offer,
                           uint32_t worker, uint64_t now_us) {
  if (offer.version != handshake::kProtocolVersion) {
    return {VerdictCode::kVersion,
            config::Concat("this hub speaks protocol version ",
                           unsigned{handshake::kProtocolVersion}, ", not ",
                           unsigned{offer.version})};
  }
  bool known = FindByKey(key) != nullptr;
  bool others =
      std::any_of(clients_.begin(), clients_.end(), [&](const Client& client) {
        return client.session && client.session->secrets().peer_key != key;
      });
  if (!config_.multi_client && others) {
    return {VerdictCode::kSecondKeyRefused,
            "this hub serves one client (multi_client = false), and another "
            "one is connected"};
  }
  if (!known && (FreeClient() == nullptr || slots_.empty(worker))) {
    return {VerdictCode::kFull,
            config::Concat("this hub serves ", config_.max_clients,
                           " clients already (max_clients)")};
  }
  return book_.Check(key, offer.addresses, now_us);
}

void HubSessions::Decide(HubFlow& flow, uint64_t now_us) {
  handshake::HubHandshake& handshake = flow.handshake();
  const PublicKey key = handshake.peer_key();
  Verdict verdict = Judge(key, handshake.peer(), flow.flow().worker(), now_us);
  bool accepted = verdict.code == VerdictCode::kAccepted;
  ByteVector bytes;
  HubProgress progress = handshake.Finish(verdict, &bytes);
  if (!accepted || progress != HubProgress::kDone) {
    log_.Info("client ", handshake::PublicKeyToText(key), " at ",
              ToString(flow.remote()), " was refused: ", verdict.text);
    flow.SendVerdict(std::move(bytes), false);
    return;
  }
  Admit(flow, handshake.TakeSession(), std::move(bytes), now_us);
}

void HubSessions::Admit(HubFlow& flow, SessionSecrets secrets,
                        ByteVector verdict, uint64_t now_us) {
  Client* client = FindByKey(secrets.peer_key);
  if (client != nullptr) {
    Drop(*client, "it came back and is replaced", now_us);
  } else {
    client = FreeClient();
  }
  SessionLane lane;
  lane.flow = flow.flow();
  lane.local = flow.local();
  lane.remote = flow.remote();
  lane.nonces = secrets.lane0;
  std::string key = handshake::PublicKeyToText(secrets.peer_key);
  std::string name = NameOf(secrets);
  uint16_t mtu = secrets.mtu;
  auto session = std::make_unique<Session>(
      SessionContext(), static_cast<uint32_t>(client - clients_.data()), name,
      std::move(secrets), now_us);
  if (!session->InstallLane(lane, 0, now_us, kOldLaneUs)) {
    flow.Refuse("no lane is free for it", now_us);
    return;
  }
  client->addresses = session->secrets().peer.addresses;
  client->remote = flow.remote();
  client->rtt_us = 0;
  book_.Bind(session->secrets().peer_key, client->addresses);
  client->session = std::move(session);
  flow.SendVerdict(std::move(verdict), true);
  Publish();
  flow.HandOver();
  log_.Info(name, " up: ", ToString(client->remote), ", key ", key,
            ", inner MTU ", mtu);
}

}  // namespace lwt::peer
