// A UDP socket that says to which of the host's addresses a datagram came, and
// sends from the one that it is told. Never blocks. Control thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "control/handshake/bytes.h"
#include "drivers/ip_endpoint.h"
#include "drivers/scoped_fd.h"

namespace lwt::nat {

class UdpSocket {
 public:
  struct Datagram {
    Endpoint source;
    IpAddress local;
    handshake::ByteSpan bytes;  // of the buffer that was given
  };

  // `local` may be of no address, which is all of its family, and of no port,
  // which is a free one. The host need not have the address yet. On `device`
  // alone, where that is not empty.
  static absl::StatusOr<UdpSocket> Bind(const Endpoint& local,
                                        const std::string& device = "");

  // The next that waits; empty when none does. What is longer than the buffer
  // is cut.
  std::optional<Datagram> Receive(std::span<uint8_t> buffer) const;
  // What the host refuses is lost, as any datagram may be.
  void Send(const IpAddress& from, const Endpoint& to,
            handshake::ByteSpan bytes) const;

  int fd() const { return fd_.get(); }
  const Endpoint& local() const { return local_; }

 private:
  UdpSocket(ScopedFd fd, const Endpoint& local)
      : fd_(std::move(fd)), local_(local) {}

  ScopedFd fd_;
  Endpoint local_;
};

}  // namespace lwt::nat
