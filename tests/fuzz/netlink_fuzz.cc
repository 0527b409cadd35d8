// rtnetlink messages, several in a row as they come from a socket.
#include <cstdint>
#include <cstdlib>

#include "control/host/net/netlink_attributes.h"
#include "control/host/net/netlink_parse.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  lwt::host::Bytes rest(data, size);
  lwt::host::HostChanges changes;
  while (const auto message = lwt::host::TakeMessage(rest)) {
    if (const auto link = lwt::host::ParseLink(*message)) {
      if (link->index <= 0 || link->name.empty()) abort();
      link->link_header_size();
    }
    if (const auto address = lwt::host::ParseAddress(*message)) {
      const auto& prefix = address->prefix;
      if (prefix.length > prefix.address.size() * 8) abort();
    }
    if (const auto route = lwt::host::ParseRoute(*message)) {
      if (route->usable && route->route.ifindex <= 0) abort();
    }
    if (const auto neighbour = lwt::host::ParseNeighbour(*message)) {
      if (neighbour->usable() && !neighbour->mac) abort();
    }
    lwt::host::AddChange(*message, changes);
  }
  return 0;
}
