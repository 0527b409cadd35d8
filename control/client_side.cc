#include "control/client_side.h"

#include <utility>

#include "control/api/request.h"
#include "control/cli/version.h"
#include "control/client/client_report.h"
#include "control/config/hub_entries.h"
#include "dataplane/clock.h"

namespace lwt {
namespace {

using handshake::PinnedBy;
using Hubs = std::vector<peer::HubTarget>;

// By the settings; the key of the first contact is `met`, once there was one,
// else what was pinned.
absl::StatusOr<Hubs> HubsOf(const config::Config& config,
                            const GatewayParts& parts,
                            std::optional<handshake::PublicKey> met) {
  const absl::Status other = config::CheckNotOwnKey(
      config, handshake::PublicKeyToText(parts.secrets.identity.public_key),
      nullptr);
  if (!other.ok()) return other;
  Hubs hubs;
  if (config.client.remote) {
    const std::string& setting = config.client.server_public_key;
    const bool first = setting.empty();
    if (!first || !met) {
      auto expected =
          handshake::ExpectedHubKey(parts.platform.paths().state_dir, setting);
      if (!expected.ok()) return expected.status();
      met = *expected;
    }
    hubs.push_back({*config.client.remote, met,
                    first ? PinnedBy::kFirstContact : PinnedBy::kSetting});
  }
  for (const config::HubEntry& entry : config.client.hubs) {
    const auto key = handshake::PublicKeyFromText(entry.public_key);
    if (!key.ok()) return key.status();
    hubs.push_back({entry.address, *key, PinnedBy::kEntry});
  }
  return hubs;
}

peer::ClientSession::Config ClientConfig(const GatewayParts& parts, Hubs hubs) {
  const config::Config& config = parts.config;
  const std::string state_dir = parts.platform.paths().state_dir;
  handshake::ClientConfig handshake;
  handshake.identity = &parts.secrets.identity;
  handshake.server_name = config.client.sni;
  handshake.offer.mtu = parts.platform.MaxInnerMtu(Family::kIpv4);
  handshake.offer.addresses = config.tunnel.addresses;
  handshake.offer.lanes = static_cast<uint8_t>(parts.platform.workers().size());
  return {
      .keys = parts.secrets.keys,
      .attempt = {parts.road, parts.outer, std::move(handshake)},
      .rekey = parts.Rekey(),
      .version = cli::Version(),
      .hubs = std::move(hubs),
      .tunnel_addresses = config.tunnel.addresses,
      .routing = config.routing,
      .on_hub_key =
          [state_dir](const handshake::PublicKey& key) {
            return handshake::PinHubKey(state_dir, key);
          },
      .on_key_changed =
          [state_dir](const peer::HubTarget& hub,
                      const handshake::PublicKey& key) {
            return handshake::HubKeyChangedError(state_dir, hub.pinned_by, key);
          },
  };
}

}  // namespace

absl::StatusOr<std::unique_ptr<ClientSide>> ClientSide::Start(
    const GatewayParts& parts, uint64_t now_us) {
  absl::StatusOr<Hubs> hubs = HubsOf(parts.config, parts, std::nullopt);
  if (!hubs.ok()) return hubs.status();
  return std::unique_ptr<ClientSide>(
      new ClientSide(parts, ClientConfig(parts, *std::move(hubs)), now_us));
}

ClientSide::ClientSide(const GatewayParts& parts,
                       peer::ClientSession::Config config, uint64_t now_us)
    : parts_(parts),
      new_keys_(
          parts,
          [this](const handshake::KeyKept& kept) { session_.Tell(kept); }),
      names_(parts.name_helper, parts.platform.tunnel().info().device,
             parts.platform.paths().run_dir, parts.loop, parts.log),
      session_(WithMessages(std::move(config)), parts.log, now_us),
      nat_(parts.loop, parts.secrets.keys, parts.log) {
  parts_.outer.OnHubFound(
      [this](absl::StatusOr<std::vector<Endpoint>> endpoints) {
        session_.OnResolved(std::move(endpoints), MonotonicUs());
      });
  parts_.outer.OnWayBack([this] { session_.OnWayBack(MonotonicUs()); });
  parts_.outer.OnUplinkMoved([this] { OnUplinkMoved(MonotonicUs()); });
}

peer::ClientSession::Config ClientSide::WithMessages(
    peer::ClientSession::Config config) {
  new_keys_.Register(config.messages);
  config.on_names = [this](const handshake::DnsMessage& names) {
    names_.Set(names, MonotonicUs());
  };
  return config;
}

ClientSide::~ClientSide() {
  parts_.outer.OnHubFound({});
  parts_.outer.OnWayBack({});
  parts_.outer.OnUplinkMoved({});
}

void ClientSide::OnTimer(uint64_t now_us) {
  session_.OnTimer(now_us);
  new_keys_.OnTimer(now_us);
  names_.OnTimer(now_us);
  if (!AsksAboutNat()) {
    nat_.SetWay(std::nullopt, now_us);
  } else if (!nat_.Asks(*session_.remote()) && now_us >= next_way_us_) {
    AskAboutNat(now_us);
  }
  nat_.OnTimer(now_us);
}

// Not of a hub that does not answer by TCP either.
bool ClientSide::AsksAboutNat() const {
  return parts_.config.client.nat_detection && session_.remote() &&
         (session_.state() == "up" || session_.state() == "suspect");
}

void ClientSide::AskAboutNat(uint64_t now_us) {
  next_way_us_ = now_us + kWayUs;
  const std::optional<IpAddress> source =
      parts_.outer.SourceTo(session_.remote()->address);
  if (!source) return;
  nat_.SetWay(nat::NatWatch::Way{*session_.remote(), *source,
                                 parts_.platform.link().name},
              now_us);
}

void ClientSide::OnHostChanges(const host::HostChanges& changes,
                               uint64_t now_us) {
  if (changes.everything || !changes.addresses.empty()) {
    session_.OnHostNetworks();
  }
  const bool moved =
      changes.everything || changes.routes || !changes.addresses.empty();
  if (moved) FollowSource(now_us);
}

// The flows of before go on where they can: where the address is the same, by
// the same router or another.
void ClientSide::OnUplinkMoved(uint64_t now_us) {
  FollowSource(now_us);
  session_.OnWayBack(now_us);
}

void ClientSide::FollowSource(uint64_t now_us) {
  if (!session_.remote()) return;
  const std::optional<IpAddress> source =
      parts_.outer.SourceTo(session_.remote()->address);
  if (source) session_.OnSourceChanged(*source, now_us);
  if (AsksAboutNat()) AskAboutNat(now_us);
}

absl::Status ClientSide::Check(const config::Config& config) const {
  return HubsOf(config, parts_, session_.hubs().FirstContactKey()).status();
}

absl::Status ClientSide::Apply(const config::Config& config, uint64_t now_us) {
  absl::StatusOr<Hubs> hubs =
      HubsOf(config, parts_, session_.hubs().FirstContactKey());
  if (!hubs.ok()) return hubs.status();
  session_.Apply({.rekey = parts_.Rekey(),
                  .routing = config.routing,
                  .hubs = *std::move(hubs),
                  .server_name = config.client.sni,
                  .offered_mtu = parts_.platform.MaxInnerMtu(Family::kIpv4)},
                 now_us);
  return absl::OkStatus();
}

void ClientSide::Report(telemetry::Status& status, uint64_t now_us) const {
  peer::ReportHub(session_, parts_.config, now_us, status);
  if (session_.default_route().leads()) {
    status.tunnel.reason += "; all traffic goes through it";
  } else if (parts_.config.routing.default_route) {
    status.tunnel.reason += "; all traffic goes beside it until a hub answers";
  }
  if (const auto& verdict = nat_.verdict()) {
    status.nat = {
        .name = std::string(nat::ClassicName(*verdict)),
        .mapping = std::string(nat::NameOf(verdict->mapping)),
        .filtering = std::string(nat::NameOf(verdict->filtering)),
        .outside = verdict->answered ? ToString(verdict->reflexive) : "",
        .reason = nat::Describe(*verdict)};
  }
  ReportNames(status);
}

void ClientSide::ReportNames(telemetry::Status& status) const {
  std::string said;
  if (!names_.state().empty() && !names_.wanted().servers.empty()) {
    said = names_.state();
  } else if (!session_.dns().offered().servers.empty() &&
             !session_.dns().accepts()) {
    said = "the hub names name servers, which accept_dns does not take";
  }
  if (!said.empty()) status.tunnel.reason += "; " + said;
}

std::optional<std::string> ClientSide::Answer(const api::Request& request,
                                              uint64_t) {
  if (!api::IsOfPeers(request.kind)) return std::nullopt;
  return api::ErrorResponse(
      "this is a client: ask the hub, which has the clients and their "
      "addresses");
}

size_t ClientSide::Close(std::string_view reason, uint64_t) {
  return session_.Close(reason);
}

}  // namespace lwt
