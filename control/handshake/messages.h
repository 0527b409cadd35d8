// The types of control messages: what the body of each says, as a struct and as
// bytes (docs/protocol.md, "Control messages").
//
// What a session does with one is registered apart from its bytes, in
// control/session/message_table.h.
#pragma once

#include <array>
#include <concepts>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "control/base/domain_name.h"
#include "control/handshake/control_message.h"
#include "control/handshake/psk.h"
#include "control/handshake/session_secrets.h"

namespace lwt::handshake {

// A type of message: its number, its body both ways, and whether the other end
// of a session understands it, by what the handshake told of that end. To one
// that does not, it is never sent.
template <typename M>
concept ControlBody = requires(const M& message, ByteSpan body,
                               const PeerOffer& peer) {
  { M::kType } -> std::convertible_to<ControlType>;
  { message.Build() } -> std::same_as<ByteVector>;
  // nullopt for what is no such body.
  { M::Parse(body) } -> std::same_as<std::optional<M>>;
  { M::kUnderstoodBy(peer) } -> std::same_as<bool>;
};

// Types of version 1 of the protocol: nobody is without them.
inline bool SinceVersion1(const PeerOffer&) { return true; }

struct RekeyRequest {
  static constexpr auto kType = ControlType::kRekeyRequest;
  static constexpr auto kUnderstoodBy = SinceVersion1;

  ByteVector Build() const { return {}; }
  static std::optional<RekeyRequest> Parse(ByteSpan body);
};

// Offer and answer say the same.
template <ControlType type>
struct RekeyShare {
  static constexpr auto kType = type;
  static constexpr auto kUnderstoodBy = SinceVersion1;
  uint32_t epoch = 0;
  std::array<uint8_t, 32> public_key{};

  ByteVector Build() const;
  static std::optional<RekeyShare> Parse(ByteSpan body);
};
using RekeyOffer = RekeyShare<ControlType::kRekeyOffer>;
using RekeyAnswer = RekeyShare<ControlType::kRekeyAnswer>;

struct RekeyDone {
  static constexpr auto kType = ControlType::kRekeyDone;
  static constexpr auto kUnderstoodBy = SinceVersion1;
  uint32_t epoch = 0;

  ByteVector Build() const;
  static std::optional<RekeyDone> Parse(ByteSpan body);
};

// The first byte of a record of kind close.
enum class CloseReason : uint8_t {
  kNormal = 0,
  kReplaced = 1,  // by another session with the same static key
};

enum class NoticeCode : uint8_t {
  kText = 0,
  kUnknownType = 1,
  kSameKey = 2,  // another host has the sender's static key
};
struct Notice {
  static constexpr auto kType = ControlType::kNotice;
  static constexpr auto kUnderstoodBy = SinceVersion1;
  NoticeCode code = NoticeCode::kText;
  std::string text;  // UTF-8; control characters are shown as '?'

  ByteVector Build() const;
  static std::optional<Notice> Parse(ByteSpan body);
};

// The largest inner packet that goes from its sender to its reader in one
// segment now. Both ends go by the smaller of the two directions.
struct MtuMessage {
  static constexpr auto kType = ControlType::kMtu;
  static bool kUnderstoodBy(const PeerOffer& peer) {
    return (peer.features & kFeatureMtu) != 0;
  }
  uint16_t mtu = 0;  // kLeastInnerMtu or more

  ByteVector Build() const;
  static std::optional<MtuMessage> Parse(ByteSpan body);
};

// To a client: the shared key that counts from now on, of those that
// GenerateKey makes. The one before is taken for `grace_s` more from who has
// not heard of it.
struct NewKey {
  static constexpr auto kType = ControlType::kNewKey;
  static bool kUnderstoodBy(const PeerOffer& peer) {
    return (peer.features & kFeatureRotation) != 0;
  }
  uint32_t grace_s = 0;
  std::string key;

  ByteVector Build() const;
  static std::optional<NewKey> Parse(ByteSpan body);
};

// A client's answer, once the key is kept: where, so that the hub knows whether
// the client has it after a restart.
struct KeyKept {
  static constexpr auto kType = ControlType::kKeyKept;
  static constexpr auto kUnderstoodBy = &NewKey::kUnderstoodBy;
  enum class Where : uint8_t { kMemory = 0, kFile = 1, kStateDirectory = 2 };
  KeyId id{};
  Where where = Where::kMemory;

  ByteVector Build() const;
  static std::optional<KeyKept> Parse(ByteSpan body);
};

// The networks behind its sender, all of them: a newer version replaces the
// whole list. `Build` takes as many as fit.
struct RoutesMessage {
  static constexpr auto kType = ControlType::kRoutes;
  static bool kUnderstoodBy(const PeerOffer& peer) {
    return (peer.features & kFeatureRoutes) != 0;
  }
  // Version, count, and of each network family, length and IPv4 address: no
  // more fit, of IPv6 fewer.
  static constexpr size_t kMost = (kMaxControlBody - 5) / 6;
  static_assert(kMost <= UINT8_MAX);

  uint32_t version = 0;
  std::vector<IpPrefix> networks;  // as they came: host bits may be set

  ByteVector Build() const;
  static std::optional<RoutesMessage> Parse(ByteSpan body);
  // How many of these fit one message.
  static size_t Fitting(std::span<const IpPrefix> networks);
};

// Why a network is not taken. The numbers are the wire's; one that this version
// does not know is refused like any other.
enum class RouteCode : uint8_t {
  kDefaultRoute = 1,
  kTunnelNetwork = 2,
  kUnderlay = 3,
  kConnected = 4,
  kAnothers = 5,
  kNotAccepted = 6,
  kTooMany = 7,
  kReserved = 8,
};

// What came of a version of the list: those that are refused. What is not
// named is accepted.
struct RoutesAnswer {
  static constexpr auto kType = ControlType::kRoutesAnswer;
  static constexpr auto kUnderstoodBy = RoutesMessage::kUnderstoodBy;
  struct Refused {
    uint8_t index = 0;  // of the list, from 0
    RouteCode code = RouteCode::kNotAccepted;
    friend bool operator==(const Refused&, const Refused&) = default;
  };

  uint32_t version = 0;
  std::vector<Refused> refused;

  ByteVector Build() const;
  static std::optional<RoutesAnswer> Parse(ByteSpan body);
};

// To a client: by which servers its host is to look names up, and domains that
// complete its short names. All of both, in place of what was told before.
struct DnsMessage {
  static constexpr auto kType = ControlType::kDns;
  static bool kUnderstoodBy(const PeerOffer& peer) {
    return (peer.features & kFeatureDns) != 0;
  }
  // More than that is not built, and refused when it is read.
  static constexpr size_t kMostServers = 4;
  static constexpr size_t kMostDomains = 3;
  static_assert(2 + kMostServers * 17 + kMostDomains * (1 + kLongestDomain) <=
                kMaxControlBody);

  std::vector<IpAddress> servers = {};
  std::vector<std::string> domains = {};  // IsDomainName

  ByteVector Build() const;
  static std::optional<DnsMessage> Parse(ByteSpan body);
  friend bool operator==(const DnsMessage&, const DnsMessage&) = default;
};

// Of which version its sender is, for the operator, and what it understands.
struct About {
  static constexpr auto kType = ControlType::kAbout;
  static bool kUnderstoodBy(const PeerOffer& peer) {
    return (peer.features & kFeatureAbout) != 0;
  }
  // More than that is cut when it is built, and refused when it is read.
  static constexpr size_t kMaxVersion = 64;
  std::string version;    // UTF-8; control characters are shown as '?'
  uint32_t features = 0;  // kFeature…, and bits that we do not know

  ByteVector Build() const;
  static std::optional<About> Parse(ByteSpan body);
};

template <ControlBody... Ms>
struct MessageList {
  // Calls f<M>() for each.
  template <typename F>
  static void ForEach(F f) {
    (f.template operator()<Ms>(), ...);
  }
};
// All types that there are: tests and the fuzzer go through it.
using ControlMessages =
    MessageList<RekeyRequest, RekeyOffer, RekeyAnswer, RekeyDone, Notice,
                RoutesMessage, RoutesAnswer, MtuMessage, NewKey, KeyKept,
                DnsMessage, About>;

}  // namespace lwt::handshake
