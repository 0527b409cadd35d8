#include "control/client_side.h"

#include <utility>

#include "control/api/request.h"
#include "control/client/client_report.h"
#include "dataplane/clock.h"

namespace lwt {
namespace {

peer::ClientSession::Config ClientConfig(
    const GatewayParts& parts, std::optional<handshake::PublicKey> expected) {
  const config::Config& config = parts.config;
  const std::string state_dir = parts.platform.paths().state_dir;
  handshake::ClientConfig handshake;
  handshake.identity = &parts.secrets.identity;
  handshake.expected_hub_key = expected;
  handshake.server_name = config.client.sni;
  handshake.offer.mtu = parts.platform.MaxInnerMtu(Family::kIpv4);
  handshake.offer.addresses = config.tunnel.addresses;
  handshake.offer.lanes = static_cast<uint8_t>(parts.platform.workers().size());
  return {
      .keys = parts.secrets.keys,
      .attempt = {parts.road, parts.outer, std::move(handshake)},
      .rekey = parts.Rekey(),
      .hub_name = config.client.remote->host,
      .tunnel_addresses = config.tunnel.addresses,
      .networks = config.client.routes,
      .on_hub_key =
          [&config, state_dir](const handshake::PublicKey& key) {
            return config.client.server_public_key.empty()
                       ? handshake::PinHubKey(state_dir, key)
                       : absl::OkStatus();
          },
      .on_key_changed =
          [&config, state_dir](const handshake::PublicKey& key) {
            return handshake::HubKeyChangedError(
                state_dir, config.client.server_public_key, key);
          },
  };
}

}  // namespace

absl::StatusOr<std::unique_ptr<ClientSide>> ClientSide::Start(
    const GatewayParts& parts, uint64_t now_us) {
  absl::StatusOr<std::optional<handshake::PublicKey>> expected =
      handshake::ExpectedHubKey(parts.platform.paths().state_dir,
                                parts.config.client.server_public_key);
  if (!expected.ok()) return expected.status();
  return std::unique_ptr<ClientSide>(
      new ClientSide(parts, ClientConfig(parts, *expected), now_us));
}

ClientSide::ClientSide(const GatewayParts& parts,
                       peer::ClientSession::Config config, uint64_t now_us)
    : parts_(parts),
      server_public_key_(parts.config.client.server_public_key),
      session_(std::move(config), parts.log, now_us) {
  parts_.outer.OnHubFound(
      [this](absl::StatusOr<std::vector<Endpoint>> endpoints) {
        session_.OnResolved(std::move(endpoints), MonotonicUs());
      });
  parts_.outer.OnWayBack([this] { session_.OnWayBack(MonotonicUs()); });
}

ClientSide::~ClientSide() {
  parts_.outer.OnHubFound({});
  parts_.outer.OnWayBack({});
}

void ClientSide::OnHostChanges(const host::HostChanges& changes,
                               uint64_t now_us) {
  const bool moved =
      changes.everything || changes.routes || !changes.addresses.empty();
  if (!moved || !session_.remote()) return;
  const std::optional<IpAddress> source =
      parts_.outer.SourceTo(session_.remote()->address);
  if (source) session_.OnSourceChanged(*source, now_us);
}

absl::Status ClientSide::Check(const config::Config& config) const {
  return handshake::ExpectedHubKey(parts_.platform.paths().state_dir,
                                   config.client.server_public_key)
      .status();
}

// The key that is expected stays the one last met, unless the setting changed.
absl::Status ClientSide::Apply(const config::Config& config, uint64_t now_us) {
  std::optional<handshake::PublicKey> expected = session_.expected_hub_key();
  if (config.client.server_public_key != server_public_key_) {
    server_public_key_ = config.client.server_public_key;
    auto read = handshake::ExpectedHubKey(parts_.platform.paths().state_dir,
                                          server_public_key_);
    if (!read.ok()) return read.status();
    expected = *read;
  }
  session_.Apply({.rekey = parts_.Rekey(),
                  .hub_name = config.client.remote->host,
                  .networks = config.client.routes,
                  .server_name = config.client.sni,
                  .expected_hub_key = expected,
                  .offered_mtu = parts_.platform.MaxInnerMtu(Family::kIpv4)},
                 now_us);
  return absl::OkStatus();
}

void ClientSide::Report(telemetry::Status& status, uint64_t now_us) const {
  peer::ReportHub(session_, parts_.config, now_us, status);
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
