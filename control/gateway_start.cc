// Gateway, up to its first turn.
#include <poll.h>

#include <thread>
#include <utility>

#include "control/config/text.h"
#include "control/gateway.h"
#include "control/handshake/psk.h"

namespace lwt {
namespace {

using config::Mode;

// How long start-up waits for the hub's name before it goes on without.
constexpr int kFirstLookupMs = 5000;
constexpr uint64_t kFallbackLookupUs = 60'000'000;

// Argon2id takes a third of a second: it runs beside the rest of start-up.
class KeyDerivation {
 public:
  explicit KeyDerivation(const config::Config& config)
      : thread_([this, &config] {
          result_ =
              config.key.encryption == config::Encryption::kNone
                  ? handshake::NullPsk()
                  : handshake::DerivePsk(config.key.text, config.key.network);
        }) {}
  ~KeyDerivation() {
    if (thread_.joinable()) thread_.join();
  }
  absl::StatusOr<handshake::SecretKey> Wait() {
    thread_.join();
    return std::move(result_);
  }

 private:
  absl::StatusOr<handshake::SecretKey> result_ = handshake::SecretKey();
  std::thread thread_;
};

// The keys were read before.
std::map<handshake::PublicKey, std::vector<IpPrefix>> NetworksOf(
    const config::Config& config) {
  std::map<handshake::PublicKey, std::vector<IpPrefix>> networks;
  for (const config::PeerEntry& peer : config.hub.peers) {
    const auto key = handshake::PublicKeyFromText(peer.public_key);
    if (key.ok()) networks[*key] = peer.allowed_ips;
  }
  return networks;
}

handshake::RekeyConfig RekeyOf(const config::Config& config) {
  handshake::RekeyConfig rekey;
  rekey.interval_us = uint64_t{config.rekey.seconds} * 1'000'000;
  rekey.max_records = config.rekey.records;
  return rekey;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Gateway>> Gateway::Start(config::Config& config,
                                                        loop::Signals& signals,
                                                        const loop::Log& log) {
  std::unique_ptr<Gateway> gateway(new Gateway(config, signals, log));
  if (!handshake::InitCrypto()) {
    return absl::FailedPreconditionError(
        "this CPU lacks AES-NI or PCLMULQDQ, which sealing needs");
  }
  if (config.key.encryption == config::Encryption::kNone) {
    log.Warn("encryption = \"none\": anybody may join this tunnel");
  } else if (auto weak = handshake::WeakKeyWarning(config.key.text)) {
    log.Warn(*weak);
  }
  KeyDerivation key(config);
  std::vector<Finding> findings = CheckHost(config);
  if (!IsReady(findings)) {
    return absl::FailedPreconditionError("this host is not ready:\n" +
                                         FormatPreflight(findings));
  }
  for (const Finding& finding : findings) {
    if (finding.level != FindingLevel::kWarn) continue;
    log.Warn(finding.subject, ": ", finding.text, "; fix: ", finding.fix);
  }
  absl::StatusOr<std::unique_ptr<loop::EventLoop>> event_loop =
      loop::EventLoop::Create();
  if (!event_loop.ok()) return event_loop.status();
  gateway->loop_ = *std::move(event_loop);
  absl::StatusOr<std::unique_ptr<host::Resolver>> resolver =
      host::Resolver::Create();
  if (!resolver.ok()) return resolver.status();
  gateway->resolver_ = *std::move(resolver);

  absl::StatusOr<std::unique_ptr<Platform>> platform =
      Platform::BringUp(config, gateway->FindHub(), log);
  if (!platform.ok()) return platform.status();
  gateway->platform_ = *std::move(platform);

  absl::StatusOr<handshake::SecretKey> psk = key.Wait();
  config.key.Erase();
  if (!psk.ok()) return psk.status();
  absl::Status status = gateway->LoadSecrets(*std::move(psk));
  if (status.ok()) status = gateway->StartSessions();
  if (!status.ok()) return status;
  return gateway;
}

// Where the hub is decides which interface is the uplink.
std::optional<IpAddress> Gateway::FindHub() {
  if (!config_.client.remote) return std::nullopt;
  absl::StatusOr<uint64_t> id = resolver_->Start(config_.client.remote->host,
                                                 config_.client.remote->port);
  if (!id.ok()) return std::nullopt;
  pollfd sources[] = {{resolver_->event_fd(), POLLIN, 0},
                      {signals_.fd(), POLLIN, 0}};
  if (poll(sources, 2, 0) == 0) {
    log_.Info("looking up ", config_.client.remote->host);
    poll(sources, 2, kFirstLookupMs);
  }
  for (const host::Resolver::Result& result : resolver_->Drain()) {
    if (!result.endpoints.ok()) {
      log_.Warn(result.endpoints.status().message());
    } else if (result.id == *id) {
      return result.endpoints->front().address;
    }
  }
  resolver_->Cancel(*id);
  return std::nullopt;
}

absl::Status Gateway::LoadSecrets(handshake::SecretKey psk) {
  psk_ = std::move(psk);
  join_mask_key_ = handshake::DeriveJoinMaskKey(psk_);
  absl::StatusOr<handshake::StaticKey> identity =
      handshake::LoadOrCreateStaticKey(platform_->paths().state_dir);
  if (!identity.ok()) return identity.status();
  identity_.emplace(*std::move(identity));
  return absl::OkStatus();
}

absl::Status Gateway::StartSessions() {
  link_ = std::make_unique<peer::MailboxLink>(platform_->workers());
  outer_ = std::make_unique<OuterSide>(config_, *platform_, *link_, *resolver_,
                                       log_);
  started_us_ = NowUs();
  road_.emplace(*link_, *outer_, platform_->worker_lanes(),
                static_cast<uint32_t>(platform_->workers().size()));
  if (platform_->lan() != nullptr) {
    platform_->lan()->Start(platform_->workers());
    road_->owners.SetLan(platform_->lan());
  }
  absl::Status status =
      config_.mode == Mode::kServer ? StartHub() : StartClient();
  if (status.ok()) status = WatchSources();
  if (!status.ok()) return status;
  absl::StatusOr<std::unique_ptr<loop::ApiServer>> api = loop::ApiServer::Serve(
      platform_->control_socket(), *loop_,
      [this](const api::Request& request) { return Answer(request); });
  if (!api.ok()) return api.status();
  api_ = *std::move(api);
  log_.Info("ready: ", config::NameOf(config_.mode), ", ",
            config_.tunnel.device, " ",
            ToString(config_.tunnel.addresses.front()), ", inner MTU ",
            platform_->tunnel_mtu().mtu(), ", control socket ",
            platform_->paths().control_socket);
  return absl::OkStatus();
}

std::vector<peer::HeldAddress> Gateway::HeldAddresses() {
  auto held = peer::LoadHeldAddresses(platform_->paths().state_dir);
  if (held.ok()) return *std::move(held);
  log_.Warn(held.status().message());
  return {};
}

absl::Status Gateway::StartHub() {
  const std::string state_dir = platform_->paths().state_dir;
  absl::StatusOr<peer::BannedKeys> banned = peer::LoadBannedKeys(state_dir);
  if (!banned.ok()) return banned.status();
  const size_t workers = platform_->workers().size();
  handshake::HubConfig door;
  door.psk = &psk_;
  door.identity = &*identity_;
  door.offer.mtu = platform_->MaxInnerMtu(Family::kIpv4);
  door.offer.addresses = config_.tunnel.addresses;
  door.offer.lanes = static_cast<uint8_t>(workers);
  peer::HubSessions::Config hub{
      .road = *road_,
      .host = *outer_,
      .join_mask_key = join_mask_key_,
      .door = std::move(door),
      .rekey = RekeyOf(config_),
      .max_clients = config_.hub.max_clients,
      .multi_client = config_.hub.multi_client,
      .networks = NetworksOf(config_),
      .held = HeldAddresses(),
      .on_held =
          [this, state_dir](const std::vector<peer::HeldAddress>& held) {
            state_writer_->Put(peer::HeldAddressesPath(state_dir),
                               peer::FormatHeldAddresses(held));
          },
      .banned = *std::move(banned),
      .on_banned =
          [this, state_dir](const peer::BannedKeys& keys) {
            state_writer_->Put(peer::BannedKeysPath(state_dir),
                               peer::FormatBannedKeys(keys));
          },
  };
  if (config_.hub.fallback) {
    fallback_ = std::make_unique<Fallback>(*loop_, *link_, road_->owners, log_);
    hub.visitors = fallback_.get();
    LookUpFallback();
  }
  hub_ = std::make_unique<peer::HubSessions>(hub, log_, NowUs());
  absl::Status status = outer_->Listen(*config_.hub.local);
  if (status.ok()) {
    log_.Info("listening at ", ToString(*config_.hub.local), ", public key ",
              handshake::PublicKeyToText(identity_->public_key));
  }
  return status;
}

// Again every minute, so that a service that moves is found.
void Gateway::LookUpFallback() {
  next_lookup_us_ = NowUs() + kFallbackLookupUs;
  absl::StatusOr<uint64_t> id =
      resolver_->Start(config_.hub.fallback->host, config_.hub.fallback->port);
  if (id.ok()) fallback_lookup_ = *id;
}

void Gateway::OnResolved() {
  for (host::Resolver::Result& result : resolver_->Drain()) {
    if (client_ != nullptr && result.id == outer_->resolve_id()) {
      client_->OnResolved(std::move(result.endpoints), NowUs());
    } else if (fallback_ != nullptr && result.id == fallback_lookup_) {
      if (result.endpoints.ok()) {
        fallback_->SetService(result.endpoints->front());
      } else {
        log_.Warn("fallback: ", result.endpoints.status().message());
      }
    }
  }
}

absl::Status Gateway::StartClient() {
  const size_t workers = platform_->workers().size();
  const std::string state_dir = platform_->paths().state_dir;
  absl::StatusOr<std::optional<handshake::PublicKey>> expected =
      handshake::ExpectedHubKey(state_dir, config_.client.server_public_key);
  if (!expected.ok()) return expected.status();
  handshake::ClientConfig handshake;
  handshake.psk = &psk_;
  handshake.identity = &*identity_;
  handshake.expected_hub_key = *expected;
  handshake.server_name = config_.client.sni;
  handshake.offer.mtu = platform_->MaxInnerMtu(Family::kIpv4);
  handshake.offer.addresses = config_.tunnel.addresses;
  handshake.offer.lanes = static_cast<uint8_t>(workers);
  peer::ClientSession::Config client{
      .attempt = {*road_, *outer_, join_mask_key_, std::move(handshake)},
      .rekey = RekeyOf(config_),
      .hub_name = config_.client.remote->host,
      .tunnel_addresses = config_.tunnel.addresses,
      .networks = config_.client.routes,
      .on_hub_key =
          [this, state_dir](const handshake::PublicKey& key) {
            return config_.client.server_public_key.empty()
                       ? handshake::PinHubKey(state_dir, key)
                       : absl::OkStatus();
          },
      .on_key_changed =
          [this, state_dir](const handshake::PublicKey& key) {
            return handshake::HubKeyChangedError(
                state_dir, config_.client.server_public_key, key);
          },
  };
  client_ =
      std::make_unique<peer::ClientSession>(std::move(client), log_, NowUs());
  return absl::OkStatus();
}

absl::Status Gateway::WatchSources() {
  absl::Status status =
      loop_->Watch(signals_.fd(), EPOLLIN, [this](uint32_t) { OnSignal(); });
  if (status.ok()) {
    status = loop_->Watch(platform_->monitor().fd(), EPOLLIN,
                          [this](uint32_t) { OnHostChanges(); });
  }
  if (status.ok()) {
    status = loop_->Watch(resolver_->event_fd(), EPOLLIN,
                          [this](uint32_t) { OnResolved(); });
  }
  for (auto& worker : platform_->workers()) {
    // Mailbox::AfterSleep empties the descriptor.
    if (!status.ok()) break;
    status =
        loop_->Watch(worker->mailbox().event_fd(), EPOLLIN, [](uint32_t) {});
  }
  return status;
}

}  // namespace lwt
