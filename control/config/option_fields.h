// What single rows of options.cc take, where no reader of values.h fits.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/base/domain_name.h"
#include "control/base/peer_name.h"
#include "control/base/text.h"
#include "control/config/fields.h"
#include "control/config/networks.h"
#include "control/config/values.h"
#include "control/handshake/messages.h"

namespace lwt::config {

inline absl::Status CheckKeyText(std::string_view text) {
  if (!text.empty() && text.size() <= 1024 &&
      text.find('\0') == std::string_view::npos) {
    return absl::OkStatus();
  }
  return Invalid(
      "a key is 1 to 1024 bytes of text; `lightweight-tunnel genkey` prints "
      "a strong one");
}

inline absl::StatusOr<std::string> ReadServerKey(std::string_view text) {
  return ReadPublicKey(text, "hub");
}

inline absl::StatusOr<std::string> ReadClientKey(std::string_view text) {
  return ReadPublicKey(text, "client");
}

inline absl::Status CheckPeerName(std::string_view text) {
  if (IsPeerName(text)) return absl::OkStatus();
  return Invalid(Quoted(text),
                 " cannot name a client: 1 to 32 of a-z, 0-9 and -, the first "
                 "one a letter");
}

inline absl::Status TakeAny(const std::vector<IpPrefix>&) {
  return absl::OkStatus();
}

inline absl::Status TakeSome(const std::vector<IpPrefix>& networks) {
  if (!networks.empty()) return absl::OkStatus();
  return Invalid("an empty list names no network; remove the entry instead");
}

inline absl::StatusOr<std::string> ReadDomain(std::string_view text) {
  if (IsDomainName(text)) return std::string(text);
  return Invalid(Quoted(text), " is not a domain, such as corp.example");
}

// As many as one message to a client takes.
inline absl::Status CheckNameServers(const std::vector<IpAddress>& servers) {
  if (servers.size() <= handshake::DnsMessage::kMostServers) {
    return absl::OkStatus();
  }
  return Invalid("more than ", handshake::DnsMessage::kMostServers,
                 " name servers: keep the first ones");
}

inline absl::Status CheckSearch(const std::vector<std::string>& domains) {
  if (domains.size() <= handshake::DnsMessage::kMostDomains) {
    return absl::OkStatus();
  }
  return Invalid("more than ", handshake::DnsMessage::kMostDomains,
                 " domains: keep the first ones");
}

inline constexpr std::string_view kLeased = "auto";
inline constexpr Field kOwnAddresses =
    List<In<&Config::tunnel, &TunnelConfig::addresses>, ReadTunnelAddress,
         CheckFamilies>();

// The word, or addresses.
constexpr Field TunnelAddresses() {
  return {ValueType::kList,
          [](const Value& value, Config& config, size_t entry) {
            const bool leased =
                value.list.size() == 1 && value.list[0] == kLeased;
            const absl::Status status =
                kOwnAddresses.set(leased ? Value{} : value, config, entry);
            if (status.ok()) config.tunnel.leased = leased;
            return status;
          },
          [](const Config& config, size_t entry) {
            Value value = kOwnAddresses.get(config, entry);
            if (config.tunnel.leased) value.list.emplace_back(kLeased);
            return value;
          },
          [](const Config& from, Config& to, size_t entry) {
            kOwnAddresses.copy(from, to, entry);
            to.tunnel.leased = from.tunnel.leased;
          },
          [](std::string_view item) {
            return item == kLeased ? absl::OkStatus()
                                   : ReadTunnelAddress(item).status();
          }};
}

}  // namespace lwt::config
