#include "control/handshake/hub_handshake.h"

#include <algorithm>

namespace lwt::handshake {
namespace {

// The size of a certificate flight: message 2's record is of 2048 … 4095 bytes.
constexpr size_t kMinFlight = 2048;
// A server's session tickets and settings.
constexpr size_t kMinVerdict = 128;
constexpr size_t kVerdictSpread = 512;

void AppendTo(ByteVector* output, ByteSpan bytes) {
  output->insert(output->end(), bytes.begin(), bytes.end());
}

}  // namespace

HubDoor::HubDoor(const HubConfig& config)
    : config_(config), replay_cache_(config.replay_capacity) {}

FirstFlight HubDoor::Inspect(ByteSpan bytes, uint64_t unix_ms,
                             DoorKeeper& keeper) {
  FirstFlight flight;
  TlsRecord record;
  bytes = bytes.first(std::min(bytes.size(), kMaxClientHello));
  const TlsReader::Result result =
      TlsReader::Peek(bytes, &record, &flight.hello_size);
  if (result == TlsReader::Result::kNeedMore &&
      bytes.size() < kMaxClientHello &&
      (bytes.empty() ||
       bytes[0] == static_cast<uint8_t>(TlsType::kHandshake))) {
    flight.kind = FirstFlightKind::kIncomplete;
    return flight;
  }
  if (result != TlsReader::Result::kRecord ||
      record.type != TlsType::kHandshake) {
    return flight;
  }
  flight.hello = ParseClientHello(record.body);
  if (!flight.hello) return flight;
  Try(flight, unix_ms, keeper);
  return flight;
}

void HubDoor::Try(FirstFlight& flight, uint64_t unix_ms, DoorKeeper& keeper) {
  constexpr size_t kSealedClock = 8 + kTagSize;
  const ByteSpan sealed = ByteSpan(flight.hello->random()).first(kSealedClock);
  std::array<uint8_t, kKeySize + kSealedClock> message;
  std::ranges::copy(flight.hello->key_share, message.begin());
  std::ranges::copy(sealed, message.begin() + kKeySize);
  for (const KeyRing::Key& key : config_.keys->keys()) {
    if (!keeper.MayTry()) return;
    NoiseHandshake noise(SessionNoise(NoiseRole::kResponder, key.psk,
                                      *config_.identity, config_.random));
    std::array<uint8_t, 8> clock;
    if (!noise.ReadMessage(message, clock)) continue;
    uint64_t sent_ms = 0;
    ByteReader(clock).U64(&sent_ms);
    flight.clock_off_ms = static_cast<int64_t>(sent_ms - unix_ms);
    flight.old_key = key.place == KeyRing::Place::kBefore;
    flight.newest_key = config_.keys->IsNewest(key.psk);
    Judge(flight, noise, sealed.last<kTagSize>(), unix_ms, keeper);
    return;
  }
}

// Of one that proved a key.
void HubDoor::Judge(FirstFlight& flight, const NoiseHandshake& noise,
                    ByteSpan tag, uint64_t unix_ms, DoorKeeper& keeper) {
  if (flight.clock_off_ms > kMaxClockOffMs ||
      flight.clock_off_ms < -kMaxClockOffMs) {
    flight.kind = FirstFlightKind::kClockOff;
  } else if (replay_cache_.Holds(tag.first<kTagSize>(), unix_ms)) {
    // Before the keeper is asked: whoever repeats what it overheard must not
    // use up what those with the key have.
    flight.kind = FirstFlightKind::kReplay;
  } else if (!keeper.MayEnter(flight.old_key)) {
    flight.kind = FirstFlightKind::kTooMany;
  } else {
    // New: Holds has looked.
    static_cast<void>(replay_cache_.Insert(tag.first<kTagSize>(), unix_ms));
    flight.kind = FirstFlightKind::kProven;
    flight.handshake = HubHandshake(config_, noise, *flight.hello,
                                    flight.old_key, flight.newest_key);
  }
}

HubHandshake::HubHandshake(const HubConfig& config, const NoiseHandshake& noise,
                           const HelloFields& hello, bool old_key,
                           bool newest_key)
    : config_(&config),
      noise_(noise),
      hello_(hello),
      old_key_(old_key),
      newest_key_(newest_key) {}

HubProgress HubHandshake::Start(ByteVector* output, uint16_t path_mtu) {
  std::array<uint8_t, 8> session_id;
  config_->random(session_id);
  ByteReader(session_id).U64(&mine_.session_id);
  config_->random(mine_.nonce);
  mine_.offer = config_->offer;
  mine_.offer.mtu = std::min(mine_.offer.mtu, path_mtu);
  const size_t body = kMinFlight + RandomUpTo(config_->random, kMinFlight - 1);
  const size_t overhead = noise_.PayloadOverhead() - kKeySize;
  ByteVector message;
  if (!noise_.WriteMessage(BuildHubPayload(mine_, body - overhead), &message)) {
    return Fail(output);
  }
  HelloFields answer = hello_;
  config_->random(answer.random());
  std::copy_n(message.begin(), kKeySize, answer.key_share.begin());
  AppendTo(output, BuildServerHello(answer));
  AppendTo(output, kChangeCipherSpecRecord);
  AppendTo(output, BuildRecord(TlsType::kApplicationData,
                               ByteSpan(message).subspan(kKeySize)));
  state_ = State::kChangeCipherSpec;
  return HubProgress::kReading;
}

HubProgress HubHandshake::Feed(ByteSpan bytes, ByteVector* output) {
  if (state_ == State::kFailed) return HubProgress::kFailed;
  reader_.Feed(bytes);
  while (state_ == State::kChangeCipherSpec || state_ == State::kMessage3) {
    TlsRecord record;
    const TlsReader::Result result = reader_.Next(&record);
    if (result == TlsReader::Result::kNeedMore) return HubProgress::kReading;
    if (result == TlsReader::Result::kError) return Fail(output);
    OnRecord(record);
  }
  if (state_ == State::kFailed) return Fail(output);
  return state_ == State::kDone ? HubProgress::kDone
                                : HubProgress::kAwaitVerdict;
}

void HubHandshake::OnRecord(const TlsRecord& record) {
  if (state_ == State::kChangeCipherSpec &&
      record.type == TlsType::kChangeCipherSpec && record.body.size() == 1 &&
      record.body[0] == 1) {
    state_ = State::kMessage3;
  } else if (state_ == State::kMessage3 &&
             record.type == TlsType::kApplicationData &&
             OnMessage3(record.body)) {
    state_ = State::kAwaitVerdict;
  } else {
    state_ = State::kFailed;
  }
}

bool HubHandshake::OnMessage3(ByteSpan body) {
  const size_t overhead = noise_.PayloadOverhead();
  if (body.size() < overhead) return false;
  ByteVector plain(body.size() - overhead);
  if (!noise_.ReadMessage(body, plain)) return false;
  std::optional<ClientPayload> payload = ParseClientPayload(plain);
  if (!payload) return false;
  client_ = std::move(*payload);
  return true;
}

HubProgress HubHandshake::Finish(const Verdict& verdict, ByteVector* output) {
  if (state_ != State::kAwaitVerdict) return Fail(output);
  VerdictBody body{.verdict = verdict,
                   .mtu = std::min(mine_.offer.mtu, client_.offer.mtu)};
  if (client_.offer.version != kProtocolVersion) {
    body.verdict.code = VerdictCode::kVersion;
  }
  if (client_.offer.addresses.empty()) {
    client_.offer.addresses = verdict.lease;
  } else {
    body.verdict.lease.clear();
  }
  SessionSecrets session{.session_id = mine_.session_id};
  session.roots = RootsOf(noise_);
  const ByteVector plain = BuildVerdict(
      body, kMinVerdict + RandomUpTo(config_->random, kVerdictSpread));
  ByteVector sealed(plain.size() + kTagSize);
  AesGcmSeal(DeriveVerdictKey(session.roots.from_responder).bytes(), Nonce{},
             {}, plain, sealed);
  AppendTo(output, BuildRecord(TlsType::kApplicationData, sealed));
  if (body.verdict.code != VerdictCode::kAccepted) {
    state_ = State::kFailed;
    return HubProgress::kFailed;
  }
  session.join_keys = DeriveJoinKeys(session.roots);
  session.lane0 = {.initiator = client_.nonce, .responder = mine_.nonce};
  session.peer_key = noise_.remote_static();
  session.peer = client_.offer;
  session.mtu = body.mtu;
  session.lanes = std::min(mine_.offer.lanes, client_.offer.lanes);
  session_ = std::move(session);
  state_ = State::kDone;
  return HubProgress::kDone;
}

HubProgress HubHandshake::Fail(ByteVector* output) {
  state_ = State::kFailed;
  AppendTo(output, kHandshakeFailureRecord);
  return HubProgress::kFailed;
}

}  // namespace lwt::handshake
