// Which program has a TCP port of this host: for error messages only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/ip_endpoint.h"

namespace lwt::host {

// Inodes of the sockets in the text of /proc/net/tcp or tcp6 whose local port
// is `port`, listening ones first. Lines that are not of that form are skipped.
std::vector<uint64_t> SocketInodesOfPort(std::string_view proc_net_tcp,
                                         uint16_t port);

// "nginx (pid 812)", or nullopt when /proc does not show it. Walks the
// descriptors of all processes: milliseconds.
std::optional<std::string> OwnerOfPort(uint16_t port);

}  // namespace lwt::host
