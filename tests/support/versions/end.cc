#include "tests/support/versions/end.h"

#include <algorithm>

#include "dataplane/lane/sealing.h"
#include "drivers/secret_bytes.h"
#include "tests/unit/control/handshake/exchange_fixture.h"
#include "tests/unit/control/handshake/give_rekey.h"

namespace lwt::versions {
namespace {

using handshake::ControlBody;
using handshake::KeyPair;
using handshake::LaneId;
using handshake::RekeyAction;
using handshake::RekeyRole;
using handshake::SecretKey;
using wire::RecordKind;

constexpr LaneId kSecondLane{{1}};
constexpr std::string_view kControlStep = "control: ";
constexpr std::string_view kGeneratedKey =
    "lwt1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh_1Pw";

// Each side's own, so that one draws the same whether the other is there.
template <int side>
struct OwnRandom {
  static inline uint32_t counter = 0;
  static void Fill(std::span<uint8_t> out) {
    for (size_t done = 0; done < out.size(); done += 32) {
      handshake::ByteWriter seed;
      seed.U32(side);
      seed.U32(counter++);
      const handshake::Digest block = handshake::Sha256({seed.view()});
      std::memcpy(out.data() + done, block.data(),
                  std::min<size_t>(32, out.size() - done));
    }
  }
};

// An IPv4 packet of UDP (RFC 791), as short as one is.
ByteVector Packet(uint8_t last) {
  return {0x45, 0,  0, 29, 0, 0, 0x40, 0, 64, 17, 0x26, 0xce, 10, 0,   0,
          1,    10, 0, 0,  2, 4, 0,    4, 1,  0,  9,    0,    0,  last};
}

// One shard of docs/protocol.md.
ByteVector ShardOf(std::initializer_list<uint8_t> packets) {
  ByteVector shard;
  for (const uint8_t last : packets) {
    const ByteVector packet = Packet(last);
    uint8_t word[wire::kShardWord];
    wire::WriteShardWord({.length = static_cast<uint16_t>(packet.size()),
                          .checksum_good = last % 2 == 0},
                         word);
    shard.insert(shard.end(), std::begin(word), std::end(word));
    shard.insert(shard.end(), packet.begin(), packet.end());
  }
  return shard;
}

bool IsShardOf(ByteVector shard, std::initializer_list<uint8_t> packets) {
  wire::ShardReader reader(shard);
  wire::ShardWord word;
  std::span<uint8_t> packet;
  for (const uint8_t last : packets) {
    if (!reader.Next(word, packet) || word.checksum_good != (last % 2 == 0) ||
        !std::ranges::equal(packet, Packet(last))) {
      return false;
    }
  }
  return !reader.Next(word, packet) && !reader.malformed();
}

wire::Report SampleReport() {
  return {.wants_answer = true,
          .line_full = true,
          .token = 7,
          .forward_point = 0x123456789a,
          .highest_packet = 99,
          .records_received = 90,
          .records_lost = 9,
          .loss_bursts = 2,
          .shards_repaired = 6,
          .shards_unrepaired = 3};
}

// What a record that is neither a packet nor of the control channel holds.
ByteVector ContentOf(std::string_view step) {
  if (step == "report") {
    ByteVector content(wire::Report::kSize);
    wire::WriteReport(SampleReport(), content.data());
    return content;
  }
  if (step == "probe") return ByteVector(64, 0);
  ByteVector content = {0};
  const ByteSpan text = handshake::AsBytes("the gateway stops");
  content.insert(content.end(), text.begin(), text.end());
  return content;
}

RecordKind KindOf(std::string_view step) {
  if (step == "report") return RecordKind::kReport;
  if (step == "probe") return RecordKind::kProbe;
  return step == "close" ? RecordKind::kClose : RecordKind::kData;
}

handshake::RoutesMessage SampleRoutes() {
  return {1,
          {handshake::Prefix("10.20.0.0/16"),
           handshake::Prefix("2001:db8:1::/64")}};
}

// Calls f(body) with the message of a step; false where the step is none of a
// body that is fixed.
template <typename F>
bool WithBody(std::string_view what, const std::string& version,
              uint32_t features, F f) {
  if (what == "about") {
    f(handshake::About{version, features});
  } else if (what == "routes") {
    f(SampleRoutes());
  } else if (what == "routes answer") {
    f(handshake::RoutesAnswer{1, {{1, handshake::RouteCode::kNotAccepted}}});
  } else if (what == "mtu") {
    f(handshake::MtuMessage{1301});
  } else if (what == "new key") {
    f(handshake::NewKey{604'800, std::string(kGeneratedKey)});
  } else if (what == "key kept") {
    f(handshake::KeyKept{handshake::IdOfKey(kGeneratedKey),
                         handshake::KeyKept::Where::kFile});
  } else if (what == "notice") {
    f(handshake::Notice{handshake::NoticeCode::kUnknownType, "type 99"});
  } else {
    return false;
  }
  return true;
}

}  // namespace

End::End(RekeyRole role, std::string version, uint32_t features,
         handshake::RandomSource random)
    : role_(role),
      version_(std::move(version)),
      features_(features),
      random_(random),
      psk_(handshake::FixedSecret(0x80)),
      identity_(
          handshake::FixedStaticKey(role == RekeyRole::kInitiator ? 1 : 2)) {}

void End::Begin(handshake::SessionSecrets secrets) {
  secrets_ = std::move(secrets);
  rekey_.emplace(role_,
                 handshake::RekeyConfig{.max_records = 1, .random = random_},
                 secrets_.roots, kBeganUs);
  AddLane(LaneId::kFirst, secrets_.lane0, 0);
}

void End::AddLane(LaneId id, const handshake::LaneNonces& nonces,
                  uint32_t made_in) {
  lanes_.push_back(std::make_unique<Lane>());
  Lane& lane = *lanes_.back();
  lane.id = id;
  lane.nonces = nonces;
  const KeyPair& roots = *rekey_->Roots(made_in);
  aead_.ExpandMaskKey(DeriveMaskKey(RootOf(roots, true), id, nonces).bytes(),
                      lane.send.mask);
  aead_.ExpandMaskKey(DeriveMaskKey(RootOf(roots, false), id, nonces).bytes(),
                      lane.receive.mask);
  for (const uint32_t epoch : rekey_->OpenEpochs()) InstallReceive(lane, epoch);
  SwitchSend(lane, rekey_->send_epoch());
}

const SecretKey& End::RootOf(const KeyPair& roots, bool own) const {
  return (role_ == RekeyRole::kInitiator) == own ? roots.from_initiator
                                                 : roots.from_responder;
}

void End::InstallReceive(Lane& lane, uint32_t epoch) {
  const handshake::LaneKey keys = DeriveLaneKey(
      RootOf(*rekey_->Roots(epoch), false), lane.id, lane.nonces, epoch);
  session::ReceiveEpoch& slot = lane.receive.At(session::EpochSlot::Of(epoch));
  slot.held = true;
  slot.epoch = epoch;
  std::ranges::copy(keys.iv.bytes(), slot.iv.begin());
  aead_.ExpandKey(keys.key.bytes(), slot.key);
}

void End::SwitchSend(Lane& lane, uint32_t epoch) {
  const handshake::LaneKey keys = DeriveLaneKey(
      RootOf(*rekey_->Roots(epoch), true), lane.id, lane.nonces, epoch);
  lane.send.epoch = epoch;
  lane.send.epoch_first_packet = lane.send.next_packet;
  std::ranges::copy(keys.iv.bytes(), lane.send.iv.begin());
  aead_.ExpandKey(keys.key.bytes(), lane.send.key);
}

void End::Carry(std::vector<RekeyAction>& actions) {
  for (RekeyAction& action : actions) {
    switch (action.kind) {
      case RekeyAction::Kind::kSend:
        channel_.Send(action.type, std::move(action.body));
        break;
      case RekeyAction::Kind::kInstallReceive:
        for (auto& lane : lanes_) InstallReceive(*lane, action.epoch);
        break;
      case RekeyAction::Kind::kSwitchSend:
        for (auto& lane : lanes_) SwitchSend(*lane, action.epoch);
        break;
      case RekeyAction::Kind::kRetire:
      case RekeyAction::Kind::kGiveUp:
        break;
    }
  }
}

ByteVector End::Seal(Lane& lane, RecordKind kind, ByteSpan content) {
  ByteVector record(wire::kRecordOverhead + content.size());
  std::ranges::copy(content, record.begin() + wire::kRecordPrefix);
  if (!session::SealRecord(aead_, lane.send, kind, record.data(),
                           content.size())) {
    return {};
  }
  return record;
}

std::optional<End::Opened> End::Open(Lane& lane, ByteSpan record) {
  if (wire::RecordSize(record) != record.size()) return std::nullopt;
  ByteVector bytes(record.begin(), record.end());
  wire::RecordHeader header;
  DropReason why{};
  if (!session::OpenRecord(aead_, lane.receive, bytes, header, why)) {
    return std::nullopt;
  }
  return Opened{static_cast<RecordKind>(header.kind),
                ByteVector(bytes.begin() + wire::kRecordPrefix,
                           bytes.end() - wire::kRecordTag)};
}

ByteVector End::SayControl(std::string_view step) {
  std::vector<RekeyAction> actions;
  if (step == "rekey request") rekey_->Tick(kBeganUs, 1, &actions);
  Carry(actions);
  WithBody(step, version_, features_, [this]<ControlBody M>(const M& body) {
    channel_.Send(M::kType, body.Build());
  });
  const std::optional<ByteVector> message = channel_.Poll(kBeganUs);
  if (!message) return {};
  return Seal(*lanes_[0], RecordKind::kControl,
              handshake::BuildControlRecord(*message, 3));
}

bool End::HearControl(std::string_view step, ByteSpan content) {
  const auto message = handshake::ParseControlRecord(content);
  std::vector<handshake::ControlMessage> delivered;
  if (!message || !channel_.Receive(*message, &delivered)) return false;
  if (step == "acknowledgement") {
    return delivered.empty() && channel_.AllAcknowledged();
  }
  if (delivered.size() != 1) return false;
  const handshake::ControlMessage& heard = delivered[0];
  bool good = false;
  const bool fixed =
      WithBody(step, version_, features_, [&]<ControlBody M>(const M& wanted) {
        const std::optional<M> body = M::Parse(heard.body);
        good =
            heard.type == M::kType && body && body->Build() == wanted.Build();
      });
  if (fixed) return good;
  std::vector<RekeyAction> actions;
  good = handshake::GiveRekey(*rekey_, heard, kBeganUs, &actions);
  Carry(actions);
  return good;
}

ByteVector End::SayInSession(std::string_view step) {
  if (lanes_.empty()) return {};
  if (step.starts_with(kControlStep)) {
    return SayControl(step.substr(kControlStep.size()));
  }
  Lane& lane = *lanes_.back();
  if (KindOf(step) != RecordKind::kData) {
    return Seal(lane, KindOf(step), ContentOf(step));
  }
  return Seal(lane, RecordKind::kData,
              step == "two packets" ? ShardOf({1, 2}) : ShardOf({3}));
}

bool End::HearInSession(std::string_view step, ByteSpan bytes) {
  if (lanes_.empty()) return false;
  const bool control = step.starts_with(kControlStep);
  const auto opened = Open(control ? *lanes_[0] : *lanes_.back(), bytes);
  if (!opened) return false;
  if (control) {
    return opened->kind == RecordKind::kControl &&
           HearControl(step.substr(kControlStep.size()), opened->content);
  }
  if (opened->kind != KindOf(step)) return false;
  if (opened->kind == RecordKind::kReport) {
    ByteVector again(wire::Report::kSize);
    const auto report = wire::ReadReport(opened->content);
    if (report) wire::WriteReport(*report, again.data());
    return report && again == ContentOf(step);
  }
  if (opened->kind != RecordKind::kData) {
    return opened->content == ContentOf(step);
  }
  return step == "two packets" ? IsShardOf(opened->content, {1, 2})
                               : IsShardOf(opened->content, {3});
}

ClientEnd::ClientEnd(std::string version, uint32_t features)
    : End(RekeyRole::kInitiator, std::move(version), features,
          OwnRandom<1>::Fill) {
  OwnRandom<1>::counter = 0;
  config_.psk = &psk_;
  config_.identity = &identity_;
  config_.offer = {.mtu = 1409,
                   .lanes = 3,
                   .addresses = {handshake::Prefix("10.0.0.2/24")},
                   .features = features};
  config_.random = random_;
  handshake_.emplace(config_);
}

ByteVector ClientEnd::Say(std::string_view step) {
  if (step == "hello") return handshake_->Start(kUnixMs);
  if (step == "message 3") return third_;
  if (step != "lane join") return SayInSession(step);
  join_ = handshake::MakeLaneJoin(handshake::DeriveJoinMaskKey(psk_),
                                  JoinKeys(), secrets_.session_id, kSecondLane,
                                  {{1}}, kUnixMs, random_);
  return handshake::BuildClientHello(join_.hello, config_.server_name);
}

bool ClientEnd::Hear(std::string_view step, ByteSpan bytes) {
  using handshake::ClientProgress;
  if (step == "hello and message 2") {
    return handshake_->Feed(bytes, kUnixMs, &third_) ==
               ClientProgress::kReading &&
           !third_.empty();
  }
  if (step == "verdict") {
    ByteVector none;
    if (handshake_->Feed(bytes, kUnixMs, &none) != ClientProgress::kDone) {
      return false;
    }
    Begin(handshake_->TakeSession());
    return secrets_.mtu == 1389 && secrets_.peer.features == features_;
  }
  if (step != "lane join answer") return HearInSession(step, bytes);
  handshake::JoinedLane lane;
  size_t size = 0;
  if (handshake::ReadLaneJoinAnswer(JoinKeys(), join_, bytes, &lane, &size) !=
      handshake::LaneJoinProgress::kDone) {
    return false;
  }
  AddLane(lane.lane_id, lane.nonces, lane.epoch);
  return size == bytes.size();
}

HubEnd::HubEnd(std::string version, uint32_t features)
    : End(RekeyRole::kResponder, std::move(version), features,
          OwnRandom<2>::Fill),
      keys_(psk_) {
  OwnRandom<2>::counter = 0;
  config_.keys = &keys_;
  config_.identity = &identity_;
  config_.offer = {.mtu = 1389,
                   .lanes = 8,
                   .addresses = {handshake::Prefix("10.0.0.1/24"),
                                 handshake::Prefix("fd00::1/64")},
                   .features = features};
  config_.replay_capacity = 64;
  config_.random = random_;
  door_.emplace(config_);
}

ByteVector HubEnd::Say(std::string_view step) {
  ByteVector bytes;
  if (step == "hello and message 2") {
    if (handshake_) handshake_->Start(&bytes);
    return bytes;
  }
  if (step == "verdict") {
    if (handshake_->Finish({}, &bytes) == handshake::HubProgress::kDone) {
      Begin(handshake_->TakeSession());
    }
    return bytes;
  }
  if (step != "lane join answer" || !join_) return SayInSession(step);
  handshake::LaneJoinAnswer answer =
      handshake::AnswerLaneJoin(JoinKeys(), join_hello_, *join_, 1, random_);
  AddLane(answer.lane.lane_id, answer.lane.nonces, answer.lane.epoch);
  return answer.bytes;
}

bool HubEnd::Hear(std::string_view step, ByteSpan bytes) {
  using handshake::FirstFlightKind;
  if (step == "hello") {
    handshake::FirstFlight first = door_->Inspect(bytes, kUnixMs, *this);
    if (first.kind != FirstFlightKind::kProven) return false;
    handshake_ = std::move(first.handshake);
    return true;
  }
  if (step == "message 3") {
    ByteVector none;
    return handshake_ &&
           handshake_->Feed(bytes, &none) ==
               handshake::HubProgress::kAwaitVerdict &&
           handshake_->peer().features == features_;
  }
  if (step != "lane join") return HearInSession(step, bytes);
  const handshake::FirstFlight first = door_->Inspect(bytes, kUnixMs, *this);
  if (first.kind != FirstFlightKind::kUnproven || !first.hello) return false;
  join_hello_ = *first.hello;
  constexpr LaneId kNewest[3] = {};
  join_ = handshake::OpenLaneJoin(JoinKeys(), join_hello_, kNewest, kUnixMs);
  return join_ && join_->lane_id == kSecondLane &&
         handshake::LaneJoinSessionId(handshake::DeriveJoinMaskKey(psk_),
                                      join_hello_) == secrets_.session_id;
}

}  // namespace lwt::versions
