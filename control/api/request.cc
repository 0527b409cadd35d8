#include "control/api/request.h"

#include <algorithm>
#include <charconv>

namespace lwt::api {
namespace {

constexpr std::string_view kForget = "peer forget ";
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

}  // namespace

std::optional<Request> ParseRequest(std::span<const uint8_t> line) {
  if (line.size() > kMaxRequestBytes) return std::nullopt;
  std::string_view text = Text(line);
  if (text.empty() || text.find('\n') != text.size() - 1) return std::nullopt;
  text.remove_suffix(1);
  if (text == "status") return Request{RequestKind::kStatus, {}};
  if (text == "status json") return Request{RequestKind::kStatusJson, {}};
  if (text == "version") return Request{RequestKind::kVersion, {}};
  if (!text.starts_with(kForget)) return std::nullopt;
  std::optional<IpAddress> address =
      ParseIpAddress(text.substr(kForget.size()));
  if (!address) return std::nullopt;
  return Request{RequestKind::kPeerForget, *address};
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
