#include "control/client/client_dns.h"

#include <algorithm>

#include "control/config/networks.h"

namespace lwt::peer {

void ClientDns::OnMessage(const handshake::DnsMessage& message) {
  offered_ = {};
  for (const IpAddress& server : message.servers) {
    std::vector<IpAddress>& servers = offered_.servers;
    if (config::IsNeverRouted(server) ||
        std::find(servers.begin(), servers.end(), server) != servers.end()) {
      continue;
    }
    servers.push_back(server);
  }
  // Domains alone would send names to servers that know none of them.
  if (!offered_.servers.empty()) offered_.domains = message.domains;
}

}  // namespace lwt::peer
