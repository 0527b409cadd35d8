// A frame from a port, read down to its TCP payload.
#pragma once

#include <cstdint>
#include <span>

#include "dataplane/drop_reason.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/tcp.h"
#include "drivers/ip_endpoint.h"

namespace lwt::wire {

// Points into the frame it was read from, and lives no longer.
struct FrameView {
  std::span<const uint8_t> link;  // 0, 14 or 18 bytes
  uint8_t leg = 0;                // see LinkHeader; not ParseFrame's to tell
  Endpoint source;
  Endpoint destination;
  uint8_t traffic_class = 0;  // of the IP header
  TcpView tcp;

  std::span<const uint8_t> payload() const { return tcp.payload; }
  // Of an answer to it.
  LinkHeader LinkBack() const {
    return LinkHeader::From(link, leg).Reflected();
  }
};

// Reads a frame whose link header is `link_size` (0, 14 or 18) bytes. A merged
// frame is one long segment. `checksum_good` says that the TCP checksum needs
// no look; otherwise it is verified, at about 0.1 cycles a byte.
// On failure `why` is set and `out` is unspecified.
[[nodiscard]] bool ParseFrame(std::span<const uint8_t> frame, uint8_t link_size,
                              bool checksum_good, FrameView& out,
                              DropReason& why);

// Whether the checksum of TCP is left for later, as a kernel does that hands a
// frame to its own host: the field holds the sum over the pseudo-header.
bool IsChecksumUnfinished(std::span<const uint8_t> frame, uint8_t link_size);

}  // namespace lwt::wire
