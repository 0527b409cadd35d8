// The control socket's protocol: the client sends one line, the daemon answers
// once and closes.
//
//   status | status json | peers | peers json | version | reload | rotate-key |
//   rotate-key force | rotation | peer banned |
//   peer forget ADDRESS|RANGE|CLIENT | peer ban CLIENT |
//   peer unban CLIENT | routes | routes json |
//   events | events f |
//   route forget RANGE|CLIENT                                 and a line feed
// where CLIENT is its public key, or the name that the hub has for it.
//   "ok BYTES\n" and BYTES bytes of body, or "error SENTENCE\n"; of "events f"
//   "ok stream\n" and lines without end
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "control/handshake/crypto.h"
#include "drivers/ip_endpoint.h"

namespace lwt::api {

// The longest request, its line feed included. A peer that sends more without
// a line feed is answered with an error and closed.
inline constexpr size_t kMaxRequestBytes = 4096;

enum class RequestKind : uint8_t {
  kStatus,
  kStatusJson,
  kPeers,
  kPeersJson,
  kEvents,
  kEventsFollow,  // with those to come
  kVersion,
  kReload,
  kPeerForget,     // tunnel addresses: `range`
  kPeerForgetKey,  // those of `key`
  kPeerBan,        // `key`
  kPeerUnban,      // `key`
  kPeerBanned,
  kRotateKey,
  kRotateKeyForce,  // whoever is locked out by it
  kRotation,        // how far it is
  kRoutes,
  kRoutesJson,
  kRouteForget,     // networks within `range`
  kRouteForgetKey,  // those of `key`
};

// What only a hub can do.
constexpr bool IsOfPeers(RequestKind kind) {
  switch (kind) {
    case RequestKind::kPeerForget:
    case RequestKind::kPeerForgetKey:
    case RequestKind::kPeerBan:
    case RequestKind::kPeerUnban:
    case RequestKind::kPeerBanned:
    case RequestKind::kRotateKey:
    case RequestKind::kRotateKeyForce:
    case RequestKind::kRotation:
    case RequestKind::kRouteForget:
    case RequestKind::kRouteForgetKey:
      return true;
    default:
      return false;
  }
}

struct Request {
  RequestKind kind = RequestKind::kStatus;
  IpPrefix range;  // of one address, or with the bits behind its length zero
  handshake::PublicKey key{};
  std::string name;  // where it is not empty, in the place of `key`
  friend bool operator==(const Request&, const Request&) = default;
};

// `line` is the whole request, which must end with its only line feed. Words
// are separated by one space; nothing else is accepted.
std::optional<Request> ParseRequest(std::span<const uint8_t> line);

std::string OkResponse(std::string_view body);
// The beginning of an answer without end.
inline constexpr std::string_view kStreamResponse = "ok stream\n";
// Line feeds in `sentence` become spaces.
std::string ErrorResponse(std::string_view sentence);

struct Response {
  bool ok = false;
  std::string text;  // the body, or the sentence
};

// `bytes` is all that came before the daemon closed. nullopt when it is not
// exactly one response, so that a cut answer is never taken for a whole one.
std::optional<Response> ParseResponse(std::span<const uint8_t> bytes);

}  // namespace lwt::api
