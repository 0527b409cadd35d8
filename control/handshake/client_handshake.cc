#include "control/handshake/client_handshake.h"

#include <algorithm>
#include <ctime>

#include "absl/strings/str_cat.h"

namespace lwt::handshake {
namespace {

// What a client says first: its Finished message and a request.
constexpr size_t kMinThird = 128;
constexpr size_t kThirdSpread = 512;

std::string UtcTime(uint64_t unix_ms) {
  const auto seconds = static_cast<time_t>(unix_ms / 1000);
  struct tm parts;
  std::array<char, 32> text;
  if (gmtime_r(&seconds, &parts) == nullptr) return "unknown";
  strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts);
  return text.data();
}

std::string_view ReasonOf(VerdictCode code) {
  switch (code) {
    case VerdictCode::kAddressTaken:
      return "the tunnel address belongs to another client";
    case VerdictCode::kAddressOutsideNetwork:
      return "the tunnel address is outside the hub's network";
    case VerdictCode::kFull:
      return "it has as many clients as it may have";
    case VerdictCode::kSecondKeyRefused:
      return "it serves one client, and another has come before";
    case VerdictCode::kBanned:
      return "it has banned this client's key";
    case VerdictCode::kKeyRotated:
      return "it has another shared key by now";
    case VerdictCode::kNoAddressFree:
      return "it has no tunnel address to lease";
    case VerdictCode::kVersion:
      return "it speaks another version of the protocol";
    default:
      return "no reason this version knows";
  }
}

absl::Status NotOurProtocol(std::string_view what) {
  return absl::DataLossError(
      absl::StrCat("the hub does not answer like a gateway: ",
                   absl::string_view(what.data(), what.size()),
                   "; is this its address and port?"));
}

}  // namespace

ClientHandshake::ClientHandshake(const ClientConfig& config)
    : config_(config),
      noise_(SessionNoise(NoiseRole::kInitiator, *config.psk, *config.identity,
                          config.random)) {}

ByteVector ClientHandshake::Start(uint64_t unix_ms) {
  ByteWriter clock;
  clock.U64(unix_ms);
  ByteVector message;  // e 32, then the sealed clock 24
  // Message 1 has no DH, so writing it cannot fail.
  noise_.WriteMessage(clock.view(), &message);
  const ByteSpan parts(message);
  std::copy_n(parts.begin(), kKeySize, hello_.key_share.begin());
  const ByteSpan sealed = parts.subspan(kKeySize);
  std::copy(sealed.begin(), sealed.end(), hello_.random_and_session_id.begin());
  config_.random(
      std::span(hello_.random_and_session_id).subspan(sealed.size()));
  return BuildClientHello(hello_, config_.server_name);
}

ClientProgress ClientHandshake::progress() const {
  if (state_ == State::kDone) return ClientProgress::kDone;
  return state_ == State::kFailed ? ClientProgress::kFailed
                                  : ClientProgress::kReading;
}

ClientProgress ClientHandshake::Feed(ByteSpan bytes, uint64_t unix_ms,
                                     ByteVector* output) {
  if (state_ == State::kFailed) return progress();
  reader_.Feed(bytes);
  while (progress() == ClientProgress::kReading) {
    TlsRecord record;
    const TlsReader::Result result = reader_.Next(&record);
    if (result == TlsReader::Result::kNeedMore) break;
    if (result == TlsReader::Result::kError) {
      Fail(NotOurProtocol("its bytes are not TLS"));
      break;
    }
    OnRecord(record, unix_ms, output);
  }
  return progress();
}

void ClientHandshake::OnRecord(const TlsRecord& record, uint64_t unix_ms,
                               ByteVector* output) {
  if (record.type == TlsType::kAlert) {
    Fail(absl::UnauthenticatedError(absl::StrCat(
        "the hub refused the first message: wrong key, or clocks differ; "
        "local time is ",
        UtcTime(unix_ms))));
    return;
  }
  switch (state_) {
    case State::kServerHello:
      if (record.type == TlsType::kHandshake) return OnServerHello(record.body);
      break;
    case State::kChangeCipherSpec:
      if (record.type == TlsType::kChangeCipherSpec &&
          record.body.size() == 1 && record.body[0] == 1) {
        state_ = State::kMessage2;
        return;
      }
      break;
    case State::kMessage2:
      if (record.type == TlsType::kApplicationData) {
        return OnMessage2(record.body, output);
      }
      break;
    case State::kVerdict:
      if (record.type == TlsType::kApplicationData) {
        return OnVerdict(record.body);
      }
      break;
    case State::kDone:
    case State::kFailed:
      return;
  }
  Fail(NotOurProtocol("a TLS record of an unexpected type"));
}

void ClientHandshake::OnServerHello(ByteSpan body) {
  const std::optional<HelloFields> hello = ParseServerHello(body);
  if (!hello || !std::ranges::equal(hello->session_id(), hello_.session_id())) {
    return Fail(NotOurProtocol("its ServerHello is another's"));
  }
  hub_ephemeral_ = hello->key_share;
  state_ = State::kChangeCipherSpec;
}

void ClientHandshake::OnMessage2(ByteSpan body, ByteVector* output) {
  ByteVector message(hub_ephemeral_.begin(), hub_ephemeral_.end());
  message.insert(message.end(), body.begin(), body.end());
  const size_t overhead = noise_.PayloadOverhead();
  if (message.size() < overhead) {
    return Fail(NotOurProtocol("its second message is too short"));
  }
  ByteVector plain(message.size() - overhead);
  if (!noise_.ReadMessage(message, plain)) {
    return Fail(NotOurProtocol("its second message does not verify"));
  }
  hub_proved_key_ = true;
  const PublicKey hub_key = noise_.remote_static();
  if (config_.expected_hub_key && *config_.expected_hub_key != hub_key) {
    changed_key_ = hub_key;
    return Fail(absl::FailedPreconditionError(
        absl::StrCat("the hub's public key is ", PublicKeyToText(hub_key),
                     ", not the one known here")));
  }
  std::optional<HubPayload> payload = ParseHubPayload(plain);
  if (!payload) return Fail(NotOurProtocol("its second message is malformed"));
  if (payload->offer.version != kProtocolVersion) {
    return Fail(absl::UnimplementedError(absl::StrCat(
        "the hub speaks version ", payload->offer.version,
        " of the protocol, this gateway version ", kProtocolVersion)));
  }
  if (config_.offer.addresses.empty() &&
      (payload->offer.features & kFeatureLease) == 0) {
    return Fail(absl::FailedPreconditionError(
        "this hub, of an older version, leases no tunnel address: give this "
        "client one of its own by tunnel_addr"));
  }
  ClientPayload mine{.offer = config_.offer};
  config_.random(mine.nonce);
  ByteVector third;
  const size_t size = kMinThird + RandomUpTo(config_.random, kThirdSpread);
  if (!noise_.WriteMessage(BuildClientPayload(mine, size), &third)) {
    return Fail(NotOurProtocol("its ephemeral key is of small order"));
  }
  SessionSecrets session{.session_id = payload->session_id};
  session.roots = RootsOf(noise_);
  session.join_keys = DeriveJoinKeys(session.roots);
  session.lane0 = {.initiator = mine.nonce, .responder = payload->nonce};
  session.peer_key = hub_key;
  session.peer = std::move(payload->offer);
  session.lanes = std::min(config_.offer.lanes, session.peer.lanes);
  session_ = std::move(session);
  const ByteVector record = BuildRecord(TlsType::kApplicationData, third);
  output->insert(output->end(), kChangeCipherSpecRecord.begin(),
                 kChangeCipherSpecRecord.end());
  output->insert(output->end(), record.begin(), record.end());
  state_ = State::kVerdict;
}

void ClientHandshake::OnVerdict(ByteSpan body) {
  if (body.size() < kTagSize) {
    return Fail(NotOurProtocol("its verdict is too short"));
  }
  ByteVector plain(body.size() - kTagSize);
  const auto key = DeriveVerdictKey(session_->roots.from_responder);
  if (!AesGcmOpen(key.bytes(), Nonce{}, {}, body, plain)) {
    return Fail(NotOurProtocol("its verdict does not verify"));
  }
  const std::optional<VerdictBody> verdict = ParseVerdict(plain);
  if (!verdict) return Fail(NotOurProtocol("its verdict is malformed"));
  if (verdict->verdict.code != VerdictCode::kAccepted) {
    // The hub's own words say more than the code behind them.
    const Verdict& refusal = verdict->verdict;
    return Fail(absl::PermissionDeniedError(
        absl::StrCat("the hub refused this client: ",
                     refusal.text.empty() ? std::string(ReasonOf(refusal.code))
                                          : refusal.text)));
  }
  if (verdict->mtu < kLeastInnerMtu || verdict->mtu > config_.offer.mtu) {
    return Fail(NotOurProtocol("its verdict has an impossible MTU"));
  }
  const bool asked = config_.offer.addresses.empty();
  if (asked != !verdict->verdict.lease.empty()) {
    return Fail(NotOurProtocol(asked ? "its verdict leases no address"
                                     : "it leases what nobody asked for"));
  }
  session_->leased = verdict->verdict.lease;
  session_->mtu = verdict->mtu;
  state_ = State::kDone;
}

void ClientHandshake::Fail(absl::Status status) {
  session_.reset();
  status_ = std::move(status);
  state_ = State::kFailed;
}

}  // namespace lwt::handshake
