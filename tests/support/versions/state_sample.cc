#include "tests/support/versions/state_sample.h"

#include "absl/strings/str_cat.h"
#include "control/base/files.h"
#include "control/handshake/static_key.h"
#include "control/host/instance/journal.h"
#include "control/hub/banned_keys.h"
#include "control/hub/held_addresses.h"
#include "control/hub/held_routes.h"
#include "control/rotation/key_store.h"
#include "control/rotation/rotation_file.h"
#include "tests/unit/control/handshake/exchange_fixture.h"

namespace lwt::versions {
namespace {

using handshake::FixedSecret;
using handshake::FixedStaticKey;
using handshake::PublicKey;

constexpr std::string_view kConfigured = "my-secret-password-2024";
constexpr std::string_view kRotated =
    "lwt1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh_1Pw";

PublicKey KeyOf(uint8_t seed) { return FixedStaticKey(seed).public_key; }

std::vector<peer::HeldAddress> SampleAddresses() {
  return {{*ParseIpAddress("10.0.0.2"), KeyOf(1)},
          {*ParseIpAddress("fd00::3"), KeyOf(2), 1'700'000'000'000}};
}

std::vector<routing::HeldRoute> SampleHeldRoutes() {
  return {{*ParseIpPrefix("10.20.0.0/16"), KeyOf(1)},
          {*ParseIpPrefix("fd20::/64"), KeyOf(2), 1'700'000'000'000}};
}

peer::BannedKeys SampleBanned() { return {KeyOf(3), KeyOf(4)}; }

std::vector<host::HostChange> SampleJournal() {
  return {{.kind = host::HostChange::Kind::kFeature,
           .netns = 4026531840,
           .ifindex = 2,
           .interface = "eth0",
           .feature = "rx-lro",
           .was_on = true},
          {.kind = host::HostChange::Kind::kXdp,
           .netns = 4026531840,
           .ifindex = 3,
           .interface = "eth1",
           .feature = "",
           .program_id = 17}};
}

rotation::RotationState SampleRotation() {
  rotation::RotationState state;
  state.key = std::string(kRotated);
  state.began_ms = 1'700'000'000'000;
  state.before = {{FixedSecret(9), 1'690'000'000'000}};
  state.clients[KeyOf(1)] = {.kept_ms = 1'700'000'000'000,
                             .where = handshake::KeyKept::Where::kFile,
                             .proved = true,
                             .seen_ms = 1'700'000'001'000};
  state.clients[KeyOf(2)] = {.seen_ms = 1'690'000'000'000};
  return state;
}

// The state and the run folder of a gateway are one here.
std::string JournalPath(const std::string& folder) {
  return folder + "/journal";
}

absl::Status Differs(absl::string_view name) {
  return absl::DataLossError(absl::StrCat(name, " means something else now"));
}

absl::Status CheckHub(const std::string& folder) {
  const auto addresses = peer::LoadHeldAddresses(folder);
  if (!addresses.ok()) return addresses.status();
  if (*addresses != SampleAddresses()) return Differs("addresses");
  const auto routes = peer::LoadHeldRoutes(folder);
  if (!routes.ok()) return routes.status();
  // 0.2.0 wrote none.
  if (!routes->empty() && *routes != SampleHeldRoutes())
    return Differs("routes");
  const auto banned = peer::LoadBannedKeys(folder);
  if (!banned.ok()) return banned.status();
  if (*banned != SampleBanned()) return Differs("banned");
  const auto text = rotation::LoadRotation(folder);
  if (!text.ok()) return text.status();
  const auto rotated = rotation::ParseRotation(*text);
  if (!rotated || rotation::FormatRotation(*rotated) !=
                      rotation::FormatRotation(SampleRotation())) {
    return Differs("rotation");
  }
  return absl::OkStatus();
}

absl::Status CheckKeys(const std::string& folder) {
  const auto own = handshake::LoadOrCreateStaticKey(folder);
  if (!own.ok()) return own.status();
  if (own->public_key != KeyOf(5)) return Differs("static.key");
  const auto hub = handshake::ExpectedHubKey(folder, "");
  if (!hub.ok()) return hub.status();
  if (*hub != KeyOf(6)) return Differs("server.pub");
  const auto shared = rotation::KeyInPlaceOf(kConfigured, folder);
  if (!shared.ok()) return shared.status();
  if (*shared != std::string(kRotated)) return Differs("shared_key");
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteSampleState(const std::string& folder) {
  const handshake::StaticKey own = FixedStaticKey(5);
  PublicKey secret;
  std::ranges::copy(own.secret.bytes(), secret.begin());
  rotation::KeySource source;
  source.state_dir = folder;
  source.configured = handshake::IdOfKey(kConfigured);
  if (rotation::KeepKey(source, kRotated).kept !=
      rotation::Kept::kStateDirectory) {
    return absl::InternalError("shared_key cannot be written");
  }
  for (const auto& [path, text] : {
           std::pair(peer::HeldAddressesPath(folder),
                     peer::FormatHeldAddresses(SampleAddresses())),
           std::pair(peer::HeldRoutesPath(folder),
                     peer::FormatHeldRoutes(SampleHeldRoutes())),
           std::pair(peer::BannedKeysPath(folder),
                     peer::FormatBannedKeys(SampleBanned())),
           std::pair(rotation::RotationPath(folder),
                     rotation::FormatRotation(SampleRotation())),
           std::pair(JournalPath(folder), host::FormatJournal(SampleJournal())),
           std::pair(folder + "/static.key",
                     handshake::PublicKeyToText(secret) + "\n"),
       }) {
    const absl::Status written = host::ReplaceFile(path, text);
    if (!written.ok()) return written;
  }
  return handshake::PinHubKey(folder, KeyOf(6));
}

absl::Status CheckSampleState(const std::string& folder) {
  const auto journal = host::Journal::Open(JournalPath(folder));
  if (!journal.ok()) return journal.status();
  if (journal->entries() != SampleJournal()) return Differs("journal");
  const absl::Status hub = CheckHub(folder);
  return hub.ok() ? CheckKeys(folder) : hub;
}

}  // namespace lwt::versions
