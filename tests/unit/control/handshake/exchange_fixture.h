// Two ends of a handshake for tests and fuzzers: fixed keys, a seeded random
// source.
#pragma once

#include <optional>
#include <string>

#include "control/handshake/client_handshake.h"
#include "control/handshake/hub_handshake.h"
#include "control/handshake/psk.h"

namespace lwt::handshake {

// A deterministic RandomSource: SHA-256 of a counter. Not thread-safe.
struct CountedRandom {
  static inline uint32_t counter = 0;
  static void Reset() { counter = 0; }
  static void Fill(std::span<uint8_t> out) {
    for (size_t done = 0; done < out.size(); done += 32) {
      ByteWriter seed;
      seed.U32(counter++);
      const Digest block = Sha256({seed.view()});
      std::memcpy(out.data() + done, block.data(),
                  std::min<size_t>(32, out.size() - done));
    }
  }
};

inline StaticKey FixedStaticKey(uint8_t seed) {
  StaticKey key;
  for (uint8_t& byte : key.secret.bytes()) byte = seed++;
  key.public_key = X25519Public(key.secret.bytes());
  return key;
}

inline SecretKey FixedSecret(uint8_t seed) {
  SecretKey key;
  for (uint8_t& byte : key.bytes()) byte = seed++;
  return key;
}

inline IpPrefix Prefix(std::string_view text) { return *ParseIpPrefix(text); }

// What time it is to both, in milliseconds of Unix.
inline constexpr uint64_t kNow = 1'700'000'000'000;

// Lets everybody through.
class OpenDoor : public DoorKeeper {
 public:
  bool MayTry() override { return may_try; }
  bool MayEnter(bool) override { return may_enter; }
  bool may_try = true;
  bool may_enter = true;
};

// One client and one hub with the same shared key.
struct Exchange {
  Exchange() {
    InitCrypto();
    CountedRandom::Reset();
    client_config.psk = &psk;
    client_config.identity = &client_key;
    client_config.offer = {
        .mtu = 1409, .lanes = 3, .addresses = {Prefix("10.0.0.2/24")}};
    client_config.random = CountedRandom::Fill;
    hub_config.keys = &keys;
    hub_config.identity = &hub_key;
    hub_config.offer = {
        .mtu = 1389,
        .lanes = 8,
        .addresses = {Prefix("10.0.0.1/24"), Prefix("fd00::1/64")}};
    hub_config.replay_capacity = 64;
    hub_config.random = CountedRandom::Fill;
    door.emplace(hub_config);
    client.emplace(client_config);
  }

  // Restarts both ends after a change of the configurations.
  void Rebuild() {
    door.emplace(hub_config);
    client.emplace(client_config);
  }

  FirstFlight Inspect(ByteSpan bytes, uint64_t unix_ms) {
    return door->Inspect(bytes, unix_ms, keeper);
  }

  SecretKey psk = FixedSecret(0x80);
  KeyRing keys{psk};
  StaticKey client_key = FixedStaticKey(1);
  StaticKey hub_key = FixedStaticKey(2);
  ClientConfig client_config;
  HubConfig hub_config;
  OpenDoor keeper;
  std::optional<HubDoor> door;
  std::optional<ClientHandshake> client;
};

}  // namespace lwt::handshake
