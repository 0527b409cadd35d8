// The name helper: a process beside the gateway, which may start no program any
// more once it is confined. It does nothing but have this host's names asked of
// the servers that it is told, and take that back (host_names.h): when it is
// told to, and when the gateway is gone, however that ended.
//
// Both ends speak by a socket of records. The helper believes nothing of what
// comes: a record that is none ends it, a device and a note are taken once, and
// servers and domains are of the bounds of handshake::DnsMessage.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "control/handshake/messages.h"
#include "control/host/instance/host_names.h"
#include "drivers/scoped_fd.h"

namespace lwt::host {

// The argument by which the program is the helper, and the descriptor that it
// is given then.
inline constexpr char kNameHelperWord[] = "name-helper";
inline constexpr int kNameHelperFd = 3;

// The helper's life, until the other end of `fd` is closed. An exit status.
int RunNameHelper(int fd, const HostNames::Places& places = {});

// The gateway's end. Control thread.
class NameHelper {
 public:
  // How long End waits: more than resolvconf takes, less than who stops a
  // service waits.
  static constexpr int kEndMs = 5000;

  // Starts the helper: this program again, so that it has nothing of this
  // process' memory. Before there is a second thread. Null where that fails.
  static std::unique_ptr<NameHelper> Start();
  explicit NameHelper(ScopedFd socket) : socket_(std::move(socket)) {}
  NameHelper(const NameHelper&) = delete;
  NameHelper& operator=(const NameHelper&) = delete;
  ~NameHelper() { End(); }

  int fd() const { return socket_->get(); }
  // First, and once: for which device it works, and the file in which it notes
  // what the next run has to take back.
  bool Begin(const std::string& device, const std::string& note);
  // To be answered before the next. False where the helper is gone.
  bool Set(const handshake::DnsMessage& names);
  // What came; nullopt when nothing did, or the helper is gone.
  std::optional<HostNames::Outcome> Read();
  bool gone() const { return gone_; }
  // Has it take all back, and waits until it is done.
  void End();

 private:
  bool Send(std::span<const uint8_t> record);

  std::optional<ScopedFd> socket_;
  bool gone_ = false;
};

}  // namespace lwt::host
