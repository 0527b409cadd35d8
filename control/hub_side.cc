#include "control/hub_side.h"

#include <algorithm>
#include <utility>

#include "control/api/request.h"
#include "control/base/files.h"
#include "control/base/text.h"
#include "control/cli/version.h"
#include "control/config/networks.h"
#include "control/hub/hub_report.h"
#include "dataplane/clock.h"

namespace lwt {
namespace {

constexpr uint64_t kFallbackLookupUs = 60'000'000;

uint64_t PushIntervalUs(const config::Config& config) {
  return uint64_t{config.hub.push_interval_s} * 1'000'000;
}

handshake::DnsMessage NamesOf(const config::Config& config) {
  return {.servers = config.hub.dns, .domains = config.hub.dns_search};
}

// The keys were read before.
peer::HubSessions::Routing RoutingOf(const config::Config& config) {
  peer::HubSessions::Routing routing{.settings = config.routing, .granted = {}};
  for (const config::PeerEntry& peer : config.hub.peers) {
    const auto key = handshake::PublicKeyFromText(peer.public_key);
    if (!key.ok() || peer.allowed_ips.empty()) continue;
    std::vector<IpPrefix>& granted = routing.granted[*key];
    for (const IpPrefix& network : peer.allowed_ips) {
      if (!config::IsDefault(network)) {
        granted.push_back(network);
        continue;
      }
      for (const IpPrefix& half : config::HalvesOf(network.address.family)) {
        granted.push_back(half);
      }
    }
  }
  return routing;
}

std::string NobodyHas(const peer::AddressesNamed& names) {
  const auto* range = std::get_if<IpPrefix>(&names);
  if (range == nullptr) return "no tunnel address is held for that key";
  const bool one = range->length == range->address.size() * 8;
  return one ? "no client has " + ToString(range->address)
             : "no client has an address of " + ToString(*range);
}

}  // namespace

absl::StatusOr<std::unique_ptr<HubSide>> HubSide::Start(
    const GatewayParts& parts, uint64_t now_us) {
  std::unique_ptr<HubSide> side(new HubSide(parts));
  absl::StatusOr<peer::HubSessions::Config> config = side->SessionsConfig();
  if (!config.ok()) return config.status();
  side->SetFallback(parts.config.hub.fallback, now_us);
  config->probers = side->fallback_.get();
  const absl::Status known = side->StartRotation();
  if (!known.ok()) return known;
  config->rotation = side->rotation_.get();
  side->sessions_ =
      std::make_unique<peer::HubSessions>(*config, parts.log, now_us);
  absl::Status status = parts.outer.Listen(parts.config.hub.local);
  if (!status.ok()) return status;
  std::string where;
  for (const Endpoint& local : parts.config.hub.local) {
    where += (where.empty() ? "" : ", ") + ToString(local);
  }
  parts.log.Info("listening at ", where, ", public key ",
                 handshake::PublicKeyToText(parts.secrets.identity.public_key));
  return side;
}

HubSide::~HubSide() {
  sessions_.reset();  // before the probers' door and the rotation it turns to
}

absl::StatusOr<std::vector<peer::HeldAddress>> HubSide::HeldAddresses() {
  auto held = peer::LoadHeldAddresses(parts_.platform.paths().state_dir);
  // A hub can be without them, but not write over a later version's.
  if (held.ok() || absl::IsFailedPrecondition(held.status())) return held;
  parts_.log.Warn(held.status().message());
  return std::vector<peer::HeldAddress>();
}

absl::StatusOr<std::vector<routing::HeldRoute>> HubSide::HeldRoutes() {
  auto held = peer::LoadHeldRoutes(parts_.platform.paths().state_dir);
  if (held.ok() || absl::IsFailedPrecondition(held.status())) return held;
  parts_.log.Warn(held.status().message());
  return std::vector<routing::HeldRoute>();
}

absl::StatusOr<peer::HubSessions::Config> HubSide::SessionsConfig() {
  const std::string state_dir = parts_.platform.paths().state_dir;
  absl::StatusOr<peer::BannedKeys> banned = peer::LoadBannedKeys(state_dir);
  if (!banned.ok()) return banned.status();
  auto before = HeldAddresses();
  if (!before.ok()) return before.status();
  auto routes = HeldRoutes();
  if (!routes.ok()) return routes.status();
  handshake::HubConfig door;
  door.keys = &parts_.secrets.keys;
  door.identity = &parts_.secrets.identity;
  door.offer.mtu = parts_.platform.MaxInnerMtu(Family::kIpv4);
  door.offer.addresses = parts_.config.tunnel.addresses;
  door.offer.lanes = static_cast<uint8_t>(parts_.platform.workers().size());
  peer::MessageTable messages = peer::CommonMessages();
  messages.Add<handshake::KeyKept>(
      "", [this](peer::Session& session, const handshake::KeyKept& message,
                 uint64_t) {
        if (rotation_) rotation_->OnKept(session.secrets().peer_key, message);
        return true;
      });
  return peer::HubSessions::Config{
      .road = parts_.road,
      .host = parts_.outer,
      .door = std::move(door),
      .rekey = parts_.Rekey(),
      .messages = std::move(messages),
      .version = cli::Version(),
      .max_clients = parts_.config.hub.max_clients,
      .multi_client = parts_.config.hub.multi_client,
      .routing = RoutingOf(parts_.config),
      .rules =
          peer::ClientRules(parts_.config.hub, parts_.config.fec.interleave_us),
      .held = *std::move(before),
      .on_held =
          [this, state_dir](const std::vector<peer::HeldAddress>& held) {
            writer_->Put(peer::HeldAddressesPath(state_dir),
                         [held] { return peer::FormatHeldAddresses(held); });
          },
      .held_routes = *std::move(routes),
      .on_held_routes =
          [this, state_dir](const std::vector<routing::HeldRoute>& held) {
            writer_->Put(peer::HeldRoutesPath(state_dir),
                         [held] { return peer::FormatHeldRoutes(held); });
          },
      .banned = *std::move(banned),
      .on_banned =
          [this, state_dir](const peer::BannedKeys& keys) {
            writer_->Put(peer::BannedKeysPath(state_dir),
                         peer::FormatBannedKeys(keys));
          },
      .names = NamesOf(parts_.config),
      .tell_interval_us = PushIntervalUs(parts_.config),
  };
}

// What a run before left may be half of a rotation, which goes on.
absl::Status HubSide::StartRotation() {
  if (parts_.config.key.encryption == config::Encryption::kNone) {
    return absl::OkStatus();
  }
  const std::string state_dir = parts_.platform.paths().state_dir;
  absl::StatusOr<std::string> file = rotation::LoadRotation(state_dir);
  // As with the addresses.
  if (absl::IsFailedPrecondition(file.status())) return file.status();
  if (!file.ok()) parts_.log.Warn(file.status().message());
  rotation_ = std::make_unique<rotation::HubRotation>(
      rotation::HubRotation::Config{
          .keys = parts_.secrets.keys,
          .grace_us = parts_.config.key.grace_us(),
          .interval_us = PushIntervalUs(parts_.config),
          .keep =
              [this](std::string text, std::string key,
                     std::function<void(const absl::Status&)> done) {
                KeepKey(std::move(text), std::move(key), std::move(done));
              },
          .save =
              [this, path = rotation::RotationPath(state_dir)](
                  std::string text) { writer_->Put(path, std::move(text)); },
          .known =
              [this] {
                return sessions_ ? sessions_->KnownKeys()
                                 : std::vector<handshake::PublicKey>();
              },
          .knows =
              [this](const handshake::PublicKey& client) {
                return sessions_ != nullptr && sessions_->Knows(client);
              },
          .offer =
              [this](const handshake::PublicKey& client,
                     const handshake::NewKey& message) {
                peer::Session* session =
                    sessions_ ? sessions_->SessionOf(client) : nullptr;
                if (session != nullptr) session->Send(message);
              },
          .log =
              [this](const std::string& text) {
                parts_.log.Tell(loop::LogLevel::kInfo,
                                loop::EventKind::kRotation, text);
              },
          .unix_ms = [this] { return parts_.outer.UnixMs(); },
          .now_us = [] { return MonotonicUs(); }},
      file.ok() ? std::string_view(*file) : std::string_view());
  return absl::OkStatus();
}

// The file first: with it a run that ends here knows all keys that a client may
// have.
void HubSide::KeepKey(std::string file, std::string key,
                      std::function<void(const absl::Status&)> done) {
  struct Result {
    absl::Status written;
    rotation::KeptAt kept;
  };
  auto result = std::make_shared<Result>();
  parts_.background.Run(
      [source = parts_.secrets.key_source, file = std::move(file),
       key = std::move(key), result] {
        result->written =
            host::ReplaceFile(rotation::RotationPath(source->state_dir), file);
        if (result->written.ok())
          result->kept = rotation::KeepKey(*source, key);
      },
      [this, result, done = std::move(done)] {
        const rotation::KeptAt& kept = result->kept;
        if (!result->written.ok()) {
          parts_.log.Error(result->written.message());
        } else if (kept.kept == rotation::Kept::kFile) {
          parts_.log.Info("the new shared key is in ", kept.path);
        } else {
          parts_.log.Warn(
              "the new shared key could not be put in its place: ",
              kept.why.empty() ? "it was given by a flag" : kept.why,
              "; this hub finds it in its state directory");
        }
        if (rotation_) done(result->written);
      });
}

void HubSide::SetFallback(const std::optional<config::HostPort>& service,
                          uint64_t now_us) {
  if (service == service_) return;
  service_ = service;
  lookup_.TakeBack();
  next_lookup_us_ = kNever;
  if (!service) return;
  if (fallback_ == nullptr) {
    fallback_ = std::make_unique<Fallback>(parts_.loop, parts_.road.link,
                                           parts_.road.owners, parts_.log);
  }
  // Nobody meets the one before while the name has no address.
  fallback_->SetService(std::nullopt);
  LookUpFallback(now_us);
}

absl::Status HubSide::Apply(const config::Config& config, uint64_t now_us) {
  if (sessions_ == nullptr) return absl::OkStatus();
  SetFallback(config.hub.fallback, now_us);
  sessions_->Apply(
      {.rekey = parts_.Rekey(),
       .max_clients = config.hub.max_clients,
       .multi_client = config.hub.multi_client,
       .routing = RoutingOf(config),
       .rules = peer::ClientRules(config.hub, config.fec.interleave_us),
       .probers = service_ ? fallback_.get() : nullptr,
       .offered_mtu = parts_.platform.MaxInnerMtu(Family::kIpv4),
       .names = NamesOf(config),
       .tell_interval_us = PushIntervalUs(config)},
      now_us);
  if (rotation_) {
    rotation_->SetTimes(config.key.grace_us(), PushIntervalUs(config));
  }
  return absl::OkStatus();
}

// Again every minute, so that a service that moves is found.
void HubSide::LookUpFallback(uint64_t now_us) {
  next_lookup_us_ = now_us + kFallbackLookupUs;
  const auto found = [this](absl::StatusOr<std::vector<Endpoint>> endpoints) {
    if (endpoints.ok()) {
      fallback_->SetService(endpoints->front());
    } else {
      parts_.log.Warn("fallback: ", endpoints.status().message());
    }
  };
  lookup_.TakeBack();
  auto question = parts_.names.Start(service_->host, service_->port, found);
  if (question.ok()) lookup_ = *std::move(question);
}

uint64_t HubSide::NextDeadline() const {
  uint64_t next = next_lookup_us_;
  if (sessions_ != nullptr) next = std::min(next, sessions_->NextDeadline());
  if (fallback_ != nullptr) next = std::min(next, fallback_->NextDeadline());
  if (rotation_ != nullptr) next = std::min(next, rotation_->NextDeadline());
  return next;
}

void HubSide::OnTimer(uint64_t now_us) {
  if (sessions_ != nullptr) sessions_->OnTimer(now_us);
  if (fallback_ != nullptr) fallback_->OnTimer(now_us);
  if (now_us >= next_lookup_us_) LookUpFallback(now_us);
  if (rotation_ != nullptr) rotation_->OnTimer();
}

void HubSide::OnHostChanges(const host::HostChanges& changes, uint64_t now_us) {
  if (sessions_ == nullptr) return;
  if (changes.everything || !changes.links.empty()) sessions_->OnLinkChanged();
  if (changes.everything || !changes.addresses.empty()) {
    sessions_->OnHostNetworks(now_us);
  }
}

void HubSide::Report(telemetry::Status& status, uint64_t now_us) const {
  if (sessions_ == nullptr) return;
  peer::ReportClients(*sessions_, now_us, status);
  if (status.wants_away) peer::ReportAway(*sessions_, now_us, status);
}

std::optional<std::string> HubSide::Answer(const api::Request& request,
                                           uint64_t now_us) {
  if (!api::IsOfPeers(request.kind)) return std::nullopt;
  if (sessions_ == nullptr) return api::ErrorResponse("the gateway stops");
  if (!request.name.empty()) return AnswerOf(request, now_us);
  switch (request.kind) {
    case api::RequestKind::kPeerForget:
      return Forget(request.range, now_us);
    case api::RequestKind::kPeerForgetKey:
      return Forget(request.key, now_us);
    case api::RequestKind::kRouteForget:
      return ForgetRoutes(request.range);
    case api::RequestKind::kRouteForgetKey:
      return ForgetRoutes(request.key);
    case api::RequestKind::kPeerBan:
      return Ban(request.key, now_us);
    case api::RequestKind::kPeerUnban:
      return Unban(request.key);
    case api::RequestKind::kPeerBanned:
      return Banned();
    case api::RequestKind::kRotateKey:
      return RotateKey(/*force=*/false);
    case api::RequestKind::kRotateKeyForce:
      return RotateKey(/*force=*/true);
    case api::RequestKind::kRotation:
      return Rotation();
    default:
      return std::nullopt;
  }
}

// About the client that has a name.
std::optional<std::string> HubSide::AnswerOf(api::Request request,
                                             uint64_t now_us) {
  const auto key = sessions_->rules().KeyOf(request.name);
  if (!key) {
    return api::ErrorResponse("no entry [[peer]] has the name " + request.name);
  }
  request.name.clear();
  request.key = *key;
  return Answer(request, now_us);
}

std::string HubSide::Forget(const peer::AddressesNamed& names,
                            uint64_t now_us) {
  std::string text;
  for (const IpAddress& address : sessions_->Forget(names, now_us)) {
    text += ToString(address) + " is free\n";
  }
  if (text.empty()) return api::ErrorResponse(NobodyHas(names));
  text +=
      "a client that is alive asks for its address again; lwtctl peer ban "
      "KEY keeps it out\n";
  return api::OkResponse(text);
}

std::string HubSide::ForgetRoutes(const peer::AddressesNamed& names) {
  std::string text;
  for (const auto& held : sessions_->ForgetRoutes(names)) {
    text += ToString(held.network) +
            (held.away ? " is free\n"
                       : " stays: its client is connected; lwtctl peer ban " +
                             handshake::PublicKeyToText(held.key) +
                             " keeps it out\n");
  }
  return text.empty() ? api::ErrorResponse("no such network is held")
                      : api::OkResponse(text);
}

std::string HubSide::Ban(const handshake::PublicKey& key, uint64_t now_us) {
  return sessions_->Ban(key, now_us)
             ? api::OkResponse(handshake::PublicKeyToText(key) + " is banned\n")
             : api::ErrorResponse(
                   "as many keys are banned as may be: unban one first");
}

std::string HubSide::Unban(const handshake::PublicKey& key) {
  const std::string text = handshake::PublicKeyToText(key);
  return sessions_->Unban(key) ? api::OkResponse(text + " may come again\n")
                               : api::ErrorResponse(text + " is not banned");
}

std::string HubSide::Banned() const {
  std::string text;
  for (const handshake::PublicKey& banned : sessions_->banned()) {
    text += handshake::PublicKeyToText(banned) + "\n";
  }
  return api::OkResponse(text.empty() ? "no key is banned\n" : text);
}

std::string HubSide::RotateKey(bool force) {
  if (rotation_ == nullptr) {
    return api::ErrorResponse(
        "encryption = \"none\": there is no shared key to rotate");
  }
  const absl::Status begun = rotation_->Begin(force);
  if (!begun.ok()) return api::ErrorResponse(config::ToStd(begun.message()));
  return api::OkResponse(
      "a new shared key is given to all clients; lwtctl rotation shows how far "
      "it is\n");
}

std::string HubSide::Rotation() const {
  if (rotation_ && rotation_->writing()) {
    return api::OkResponse("a new shared key is being written down\n");
  }
  const auto progress = rotation_ ? rotation_->GetProgress() : std::nullopt;
  if (!progress) return api::OkResponse("the shared key was never rotated\n");
  return api::OkResponse(config::Concat(
      "rotated on ", rotation::DateOf(progress->began_unix_ms), "\n",
      progress->have_it, " of ", progress->connected,
      " connected clients have the new shared key\n", progress->away,
      " that are away may come by one before\n"));
}

size_t HubSide::Close(std::string_view reason, uint64_t now_us) {
  const size_t flows = sessions_->Close(reason, now_us);
  sessions_.reset();
  rotation_.reset();
  lookup_.TakeBack();  // its answer is the fallback's
  fallback_.reset();
  next_lookup_us_ = kNever;
  return flows;
}

}  // namespace lwt
