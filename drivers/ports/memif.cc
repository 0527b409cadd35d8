#include "drivers/ports/memif.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <errno.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>

#include "drivers/vdev.h"

namespace lwt {
namespace {

constexpr size_t kMaxNameSize = 20;
constexpr int kRingSizeLog2 = 10;
constexpr uint16_t kRingSize = 1 << kRingSizeLog2;
constexpr int kConnectWaitMs = 5000;

class MemifPort final : public Port {
 public:
  MemifPort(PortInfo info, std::unique_ptr<Vdev> device)
      : Port(std::move(info)), device_(std::move(device)) {}

  uint16_t Receive(std::span<rte_mbuf*> frames) override {
    const uint16_t count =
        rte_eth_rx_burst(device_->port_id(), 0, frames.data(),
                         static_cast<uint16_t>(frames.size()));
    for (rte_mbuf* frame : frames.first(count)) {
      frame->l2_len = info().link_header_size;
    }
    return count;
  }
  uint16_t Transmit(std::span<rte_mbuf*> frames) override {
    return rte_eth_tx_burst(device_->port_id(), 0, frames.data(),
                            static_cast<uint16_t>(frames.size()));
  }
  int wait_fd() const override { return -1; }

  bool Connected() const {
    rte_eth_link link{};
    return rte_eth_link_get_nowait(device_->port_id(), &link) == 0 &&
           link.link_status == RTE_ETH_LINK_UP;
  }

 private:
  const std::unique_ptr<Vdev> device_;
};

absl::StatusOr<std::unique_ptr<MemifPort>> OpenEnd(const MemifSpec& spec,
                                                   const char* role) {
  const std::string what = absl::StrCat("memif ", role, " ", spec.name);
  const bool path = spec.name.starts_with('/');
  absl::StatusOr<std::unique_ptr<Vdev>> device =
      Vdev::Plug("net_memif",
                 absl::StrCat("role=", role, ",socket=", spec.name,
                              ",socket-abstract=", path ? "no" : "yes",
                              ",rsize=", kRingSizeLog2),
                 what);
  if (!device.ok()) return device.status();
  Vdev::Queues queues;
  queues.rx_descriptors = kRingSize;
  queues.tx_descriptors = kRingSize;
  queues.mtu = spec.mtu;
  queues.pool = spec.pool;
  absl::Status ready = (*device)->SetUpQueues(queues);
  if (ready.ok()) ready = (*device)->Start();
  if (!ready.ok()) return ready;
  PortInfo info;
  info.driver = "net_memif";
  info.device = spec.name;
  info.link_header_size = spec.link_header_size;
  info.mtu = spec.mtu;
  return std::make_unique<MemifPort>(std::move(info), *std::move(device));
}

// Removes what a server that was killed has left, and nothing else.
absl::Status ClearSocket(const std::string& path) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return absl::OkStatus();
    return absl::ErrnoToStatus(errno, absl::StrCat("memif socket ", path));
  }
  if (!S_ISSOCK(status.st_mode)) {
    return absl::AlreadyExistsError(
        absl::StrCat(path, " exists and is no socket; name another path"));
  }
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0) return absl::ErrnoToStatus(errno, "cannot open a socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const bool answers = connect(fd, reinterpret_cast<const sockaddr*>(&address),
                               sizeof(address)) == 0;
  close(fd);
  if (answers) {
    return absl::AlreadyExistsError(
        absl::StrCat("another program serves the memif socket ", path,
                     "; stop it, or name another path"));
  }
  if (unlink(path.c_str()) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot remove ", path));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Port>> OpenMemifServer(const MemifSpec& spec) {
  if (!spec.name.starts_with('/') ||
      spec.name.size() >= sizeof(sockaddr_un::sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "memif socket \"", spec.name, "\" is not an absolute path of at most ",
        sizeof(sockaddr_un::sun_path) - 1, " bytes"));
  }
  const absl::Status clear = ClearSocket(spec.name);
  if (!clear.ok()) return clear;
  absl::StatusOr<std::unique_ptr<MemifPort>> server = OpenEnd(spec, "server");
  if (!server.ok()) return server.status();
  return std::unique_ptr<Port>(*std::move(server));
}

absl::StatusOr<std::pair<std::unique_ptr<Port>, std::unique_ptr<Port>>>
OpenMemifPair(const MemifSpec& spec) {
  if (spec.name.empty() || spec.name.size() > kMaxNameSize ||
      spec.pool == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(
        "memif \"", spec.name, "\" needs a pool and a name of 1 to ",
        kMaxNameSize, " characters"));
  }
  absl::StatusOr<std::unique_ptr<MemifPort>> server = OpenEnd(spec, "server");
  if (!server.ok()) return server.status();
  absl::StatusOr<std::unique_ptr<MemifPort>> client = OpenEnd(spec, "client");
  if (!client.ok()) return client.status();
  // The two ends find each other in EAL's interrupt thread.
  for (int waited = 0; !(*server)->Connected() || !(*client)->Connected();
       ++waited) {
    if (waited == kConnectWaitMs) {
      return absl::DeadlineExceededError(absl::StrCat(
          "the ends of memif ", spec.name, " did not find each other"));
    }
    rte_delay_us_sleep(1000);
  }
  // The client lends its buffers to the server when it first polls.
  std::array<rte_mbuf*, 1> none;
  (*client)->Receive(none);
  return std::pair<std::unique_ptr<Port>, std::unique_ptr<Port>>(
      *std::move(server), *std::move(client));
}

}  // namespace lwt
