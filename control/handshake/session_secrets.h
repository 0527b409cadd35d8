// What a handshake leaves behind, and the payloads that travel in it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/handshake/lane_keys.h"
#include "control/handshake/static_key.h"
#include "drivers/ip_endpoint.h"

namespace lwt::handshake {

inline constexpr uint8_t kProtocolVersion = 1;
inline constexpr std::string_view kPrologue = "lightweight-tunnel/1";
inline constexpr size_t kMaxTunnelAddresses = 2;
// Of a session to send on at once, beside those about to be replaced.
inline constexpr uint8_t kMaxLanes = 16;

enum class VerdictCode : uint8_t {
  kAccepted = 0,
  kAddressTaken = 1,
  kAddressOutsideNetwork = 2,
  kFull = 3,
  kSecondKeyRefused = 4,
  kVersion = 5,
  kBanned = 6,
  kKeyRotated = 7,
  kNoAddressFree = 8,
};

// The hub's last word. `text` is for the operator of the client.
struct Verdict {
  VerdictCode code = VerdictCode::kAccepted;
  std::string text;
  // Of one that accepts a client that asked for them: its tunnel addresses,
  // with the prefix lengths of the hub's networks.
  std::vector<IpPrefix> lease = {};
};

// The least inner MTU that a side may offer: every IPv4 host takes packets of
// that size (RFC 791). Who has IPv6 inside offers what that needs.
inline constexpr uint16_t kLeastInnerMtu = 576;

// What a side understands beyond version 1, a bit each (docs/protocol.md,
// "Features"). Nothing is sent that the other end did not name.
inline constexpr uint32_t kFeatureRoutes = 1u << 6;
inline constexpr uint32_t kFeatureMtu = 1u << 8;
inline constexpr uint32_t kFeatureRotation = 1u << 9;
inline constexpr uint32_t kFeatureDns = 1u << 13;
inline constexpr uint32_t kFeatureAbout = 1u << 14;
// A hub's: it leases tunnel addresses to clients that have none.
inline constexpr uint32_t kFeatureLease = 1u << 16;
inline constexpr uint32_t kOwnFeatures = kFeatureRoutes | kFeatureMtu |
                                         kFeatureRotation | kFeatureDns |
                                         kFeatureAbout | kFeatureLease;
// By name, lowest bit first; one that this version does not know is "bit 20".
std::vector<std::string> FeatureNames(uint32_t features);

// Either side's Noise of a session's handshake. What is named must outlive it.
NoiseConfig SessionNoise(NoiseRole role, const SecretKey& psk,
                         const StaticKey& identity, RandomSource random);

// What one side tells the other about itself.
struct PeerOffer {
  uint8_t version = kProtocolVersion;
  uint16_t mtu = 0;   // largest inner MTU it can carry, 576 …
  uint8_t lanes = 1;  // lanes it can use, 1 … kMaxLanes
  // Tunnel addresses, 1 or 2. None of a client's: it asks for a lease.
  std::vector<IpPrefix> addresses;
  uint32_t features = kOwnFeatures;  // kFeature…, and bits that we do not know
};

// A session, as both sides hold it after an accepting verdict. Lane 0 is the
// flow that carried the handshake.
struct SessionSecrets {
  uint64_t session_id = 0;
  KeyPair roots;  // of epoch 0
  KeyPair join_keys;
  LaneNonces lane0;
  PublicKey peer_key{};
  PeerOffer peer;
  uint16_t mtu = 0;   // the smaller of both ends
  uint8_t lanes = 1;  // the smaller of both ends: slots 0 … lanes − 1
  std::vector<IpPrefix> leased;  // to us, where we asked for it
};

// Message 2's payload.
struct HubPayload {
  std::array<uint8_t, 12> nonce{};
  uint64_t session_id = 0;
  PeerOffer offer;
};

// Message 3's payload.
struct ClientPayload {
  std::array<uint8_t, 16> nonce{};
  PeerOffer offer;
};

// Message 2 is padded with zeros to `size`, when that is more.
ByteVector BuildHubPayload(const HubPayload& payload, size_t size);
std::optional<HubPayload> ParseHubPayload(ByteSpan bytes);
// The same of message 3.
ByteVector BuildClientPayload(const ClientPayload& payload, size_t size = 0);
std::optional<ClientPayload> ParseClientPayload(ByteSpan bytes);

// The body of the verdict record, opened.
struct VerdictBody {
  Verdict verdict;
  uint16_t mtu = 0;
};
// And of the verdict.
ByteVector BuildVerdict(const VerdictBody& body, size_t size = 0);
std::optional<VerdictBody> ParseVerdict(ByteSpan bytes);

}  // namespace lwt::handshake
