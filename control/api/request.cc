#include "control/api/request.h"

#include <algorithm>
#include <charconv>

#include "absl/strings/escaping.h"
#include "control/base/peer_name.h"

namespace lwt::api {
namespace {

constexpr std::string_view kForget = "peer forget ";
constexpr std::string_view kRouteForget = "route forget ";
constexpr std::string_view kBan = "peer ban ";
constexpr std::string_view kUnban = "peer unban ";
constexpr std::string_view kOk = "ok ";
constexpr std::string_view kError = "error ";

std::string_view Text(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Decimal digits alone, without leading zeros, as OkResponse writes them.
std::optional<size_t> ReadSize(std::string_view text) {
  size_t size = 0;
  const char* end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, size);
  if (error != std::errc() || stop != end) return std::nullopt;
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  return size;
}

// Base64 in the one form that PublicKeyToText writes; lwtctl, which reads this
// too, goes without the library of the handshake.
std::optional<Request> ReadKeyed(RequestKind kind, std::string_view text) {
  if (IsPeerName(text)) {
    return Request{.kind = kind, .name = std::string(text)};
  }
  const absl::string_view base64(text.data(), text.size());
  Request request{.kind = kind};
  std::string key;
  if (!absl::Base64Unescape(base64, &key) || key.size() != request.key.size() ||
      absl::Base64Escape(key) != base64) {
    return std::nullopt;
  }
  std::copy(key.begin(), key.end(), request.key.begin());
  return request;
}

std::optional<Request> ReadRouteForget(std::string_view text) {
  const std::optional<IpPrefix> range = ParseIpPrefix(text);
  if (!range) return ReadKeyed(RequestKind::kRouteForgetKey, text);
  if (range->Network() != range->address) return std::nullopt;
  return Request{.kind = RequestKind::kRouteForget, .range = *range};
}

std::optional<Request> ReadForget(std::string_view text) {
  std::optional<IpPrefix> range = ParseIpPrefix(text);
  if (const auto address = ParseIpAddress(text)) {
    range = IpPrefix{*address, static_cast<uint8_t>(address->size() * 8)};
  }
  // Who names 10.0.0.7/24 may mean that address, or all of the network.
  if (range && range->Network() != range->address) return std::nullopt;
  if (range) return Request{.kind = RequestKind::kPeerForget, .range = *range};
  return ReadKeyed(RequestKind::kPeerForgetKey, text);
}

}  // namespace

std::optional<Request> ParseRequest(std::span<const uint8_t> line) {
  if (line.size() > kMaxRequestBytes) return std::nullopt;
  std::string_view text = Text(line);
  if (text.empty() || text.find('\n') != text.size() - 1) return std::nullopt;
  text.remove_suffix(1);
  if (text == "status") return Request{.kind = RequestKind::kStatus};
  if (text == "status json") return Request{.kind = RequestKind::kStatusJson};
  if (text == "events") return Request{.kind = RequestKind::kEvents};
  if (text == "events f") return Request{.kind = RequestKind::kEventsFollow};
  if (text == "peers") return Request{.kind = RequestKind::kPeers};
  if (text == "peers json") return Request{.kind = RequestKind::kPeersJson};
  if (text == "version") return Request{.kind = RequestKind::kVersion};
  if (text == "reload") return Request{.kind = RequestKind::kReload};
  if (text == "routes") return Request{.kind = RequestKind::kRoutes};
  if (text == "routes json") return Request{.kind = RequestKind::kRoutesJson};
  if (text.starts_with(kRouteForget)) {
    return ReadRouteForget(text.substr(kRouteForget.size()));
  }
  if (text == "peer banned") return Request{.kind = RequestKind::kPeerBanned};
  if (text == "rotate-key") return Request{.kind = RequestKind::kRotateKey};
  if (text == "rotate-key force")
    return Request{.kind = RequestKind::kRotateKeyForce};
  if (text == "rotation") return Request{.kind = RequestKind::kRotation};
  if (text.starts_with(kForget)) return ReadForget(text.substr(kForget.size()));
  if (text.starts_with(kBan)) {
    return ReadKeyed(RequestKind::kPeerBan, text.substr(kBan.size()));
  }
  if (text.starts_with(kUnban)) {
    return ReadKeyed(RequestKind::kPeerUnban, text.substr(kUnban.size()));
  }
  return std::nullopt;
}

std::string OkResponse(std::string_view body) {
  std::string response(kOk);
  response += std::to_string(body.size());
  response += '\n';
  response += body;
  return response;
}

std::string ErrorResponse(std::string_view sentence) {
  std::string response(kError);
  response += sentence;
  std::replace(response.begin(), response.end(), '\n', ' ');
  response += '\n';
  return response;
}

std::optional<Response> ParseResponse(std::span<const uint8_t> bytes) {
  std::string_view text = Text(bytes);
  size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view first = text.substr(0, end);
  std::string_view body = text.substr(end + 1);
  if (first.starts_with(kError) && body.empty()) {
    return Response{false, std::string(first.substr(kError.size()))};
  }
  if (!first.starts_with(kOk)) return std::nullopt;
  std::optional<size_t> size = ReadSize(first.substr(kOk.size()));
  if (size != body.size()) return std::nullopt;
  return Response{true, std::string(body)};
}

}  // namespace lwt::api
