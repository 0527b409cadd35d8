#include "drivers/ports/af_xdp.h"

#include <absl/strings/str_cat.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>

#include "drivers/headers.h"

namespace lwt {
namespace {

// The driver lets one page hold the mbuf, its headroom and the kernel's.
constexpr uint32_t kXdpHeadroom = 256;
constexpr uint32_t kMaxMtu = 3456;
constexpr uint32_t kMinDataSize = 2048;
// What the rings of a queue can hold (fill 4096, receive 2048, completion
// 2048). What the pipeline holds is missing from the fill ring meanwhile.
constexpr uint32_t kFramesPerQueue = 8192;
constexpr uint32_t kPoolCache = 256;
constexpr uint16_t kDescriptors = 2048;
// The kernel frees the receive queue of a closed AF_XDP socket some time
// later, and the driver does not tell a busy queue from an invalid argument.
constexpr auto kQueueRelease = std::chrono::milliseconds(500);
constexpr auto kRetryInterval = std::chrono::milliseconds(10);

std::atomic<uint32_t> next_pool = 0;

// This process's AF_XDP sockets.
std::vector<int> XdpSockets() {
  std::vector<int> found;
  DIR* directory = opendir("/proc/self/fd");
  if (directory == nullptr) return found;
  while (const dirent* entry = readdir(directory)) {
    const int fd = std::atoi(entry->d_name);
    xdp_mmap_offsets offsets{};
    socklen_t size = sizeof(offsets);
    if (entry->d_name[0] != '.' &&
        getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &size) == 0) {
      found.push_back(fd);
    }
  }
  closedir(directory);
  return found;
}

// The driver forgets to close its sockets, which would keep the queue busy
// until the process ends.
void CloseSockets(const std::vector<int>& sockets) {
  const std::vector<int> open = XdpSockets();
  for (const int fd : sockets) {
    if (std::find(open.begin(), open.end(), fd) != open.end()) close(fd);
  }
}

std::vector<int> Without(std::vector<int> all, const std::vector<int>& known) {
  std::erase_if(all, [&known](int fd) {
    return std::find(known.begin(), known.end(), fd) != known.end();
  });
  return all;
}

absl::Status CheckInterface(const Interface& interface) {
  if (interface.link_header_size != wire::kEthernetSize) {
    return absl::FailedPreconditionError(absl::StrCat(
        "AF_XDP needs Ethernet, which ", interface.name, " is not"));
  }
  if (interface.mtu > kMaxMtu) {
    return absl::FailedPreconditionError(
        absl::StrCat("AF_XDP takes an MTU of ", kMaxMtu, " at most, ",
                     interface.name, " has ", interface.mtu));
  }
  if (!interface.queues_are_paired) {
    return absl::FailedPreconditionError(absl::StrCat(
        "AF_XDP would miss frames: ", interface.name, " has ",
        interface.rx_queues, " receive queues without transmit queues of ",
        "their own; use uplink af_packet, or one queue: ethtool -L ",
        interface.name, " rx 1 tx 1"));
  }
  const absl::StatusOr<uint32_t> attached =
      AttachedXdpProgramId(interface.index);
  if (!attached.ok()) return attached.status();
  if (*attached != 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "XDP program ", *attached, " is attached to ", interface.name,
        " already; use uplink af_packet, or detach it: ip link set dev ",
        interface.name, " xdp off"));
  }
  return absl::OkStatus();
}

// An interface takes one XDP program and a queue one socket, so one gateway at
// a time. The driver, finding another's program, would take it away: the claim
// comes before it looks. It is a name in the abstract socket space, which is
// of the network namespace and gone with the process.
absl::StatusOr<int> Claim(const Interface& interface) {
  const std::string name =
      absl::StrCat("lightweight-tunnel/af_xdp/", interface.index);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  const auto size =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return absl::ErrnoToStatus(errno, "cannot make a socket");
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0) return fd;
  const int error = errno;
  close(fd);
  if (error != EADDRINUSE) {
    return absl::ErrnoToStatus(error,
                               absl::StrCat("cannot claim ", interface.name));
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "another gateway uses AF_XDP on ", interface.name,
      ", which serves one at a time; use uplink af_packet for this one"));
}

PortInfo InfoOf(const Interface& interface) {
  PortInfo info;
  info.driver = "af_xdp";
  info.loads_programs = true;
  info.device = interface.name;
  info.link_header_size = wire::kEthernetSize;
  info.mtu = static_cast<uint16_t>(interface.mtu);
  info.queue_count = interface.rx_queues;
  info.unfinished_checksums = interface.driver == "veth";
  return info;
}

}  // namespace

void AfXdpUplink::PoolDeleter::operator()(rte_mempool* pool) const {
  rte_mempool_free(pool);
}

// The driver takes the pool for one array without gaps, which it is only when
// its objects may cross pages.
absl::StatusOr<AfXdpUplink::Pool> AfXdpUplink::MakePool(
    const Interface& interface) {
  const uint32_t data_size = std::max(
      kMinDataSize, interface.mtu + AfXdpPort::kMaxLinkHeader + kXdpHeadroom);
  rte_pktmbuf_pool_private layout{};
  layout.mbuf_data_room_size =
      static_cast<uint16_t>(data_size + RTE_PKTMBUF_HEADROOM);
  const std::string name = absl::StrCat("xdp-pool-", ++next_pool);
  Pool pool(rte_mempool_create(
      name.c_str(), kFramesPerQueue * interface.rx_queues,
      static_cast<unsigned>(sizeof(rte_mbuf)) + layout.mbuf_data_room_size,
      kPoolCache, sizeof(layout), rte_pktmbuf_pool_init, &layout,
      rte_pktmbuf_init, nullptr, SOCKET_ID_ANY,
      RTE_MEMPOOL_F_NO_IOVA_CONTIG | RTE_MEMPOOL_F_NO_SPREAD));
  if (pool == nullptr || pool->nb_mem_chunks != 1) {
    return absl::ResourceExhaustedError(
        absl::StrCat("AF_XDP on ", interface.name, " needs ",
                     (kXdpBytesPerQueue >> 20) * interface.rx_queues,
                     " MiB of packet memory in one piece"));
  }
  return pool;
}

absl::StatusOr<std::unique_ptr<AfXdpUplink>> AfXdpUplink::Open(
    const Interface& interface, bool zero_copy, uint16_t ports) {
  libbpf_set_print(nullptr);  // its words reach the operator by our Status
  absl::StatusOr<int> claim = Claim(interface);
  if (!claim.ok()) return claim.status();
  auto held = std::make_unique<ScopedFd>(*claim);
  const absl::Status usable = CheckInterface(interface);
  if (!usable.ok()) return usable;
  absl::StatusOr<Pool> pool = MakePool(interface);
  if (!pool.ok()) return pool.status();
  std::unique_ptr<AfXdpUplink> uplink(
      new AfXdpUplink(InfoOf(interface), interface.index, *std::move(pool)));
  uplink->claim_ = std::move(held);
  absl::Status status = uplink->Start(interface, zero_copy);
  if (status.ok()) {
    status = uplink->MakePorts(std::min(ports, interface.rx_queues));
  }
  if (!status.ok()) return status;
  return uplink;
}

AfXdpUplink::AfXdpUplink(PortInfo info, int ifindex, Pool pool)
    : Uplink(std::move(info), ifindex), pool_(std::move(pool)) {}

// The driver detaches whatever program it finds; one that has taken the place
// of ours is put back.
AfXdpUplink::~AfXdpUplink() {
  const absl::StatusOr<uint32_t> attached = AttachedXdpProgramId(ifindex());
  int foreign_fd = -1;
  if (attached.ok() && *attached != 0 && *attached != program_id_) {
    foreign_fd = bpf_prog_get_fd_by_id(*attached);
  }
  ports_.clear();
  device_.reset();
  CloseSockets(sockets_);
  if (foreign_fd >= 0) {
    bpf_xdp_attach(ifindex(), foreign_fd, XDP_FLAGS_UPDATE_IF_NOEXIST, nullptr);
    close(foreign_fd);
  }
}

// In copy mode the driver's busy polling would only cost a system call per
// empty poll. Without copy it keeps an empty fill ring from blocking the
// worker, so there it stays on.
absl::Status AfXdpUplink::OpenDevice(const Interface& interface,
                                     bool zero_copy) {
  absl::StatusOr<std::unique_ptr<Vdev>> device = Vdev::Plug(
      "net_af_xdp",
      absl::StrCat("iface=", interface.name, ",xdp_prog=", object_->path(),
                   ",queue_count=", interface.rx_queues,
                   zero_copy ? "" : ",force_copy=1,busy_budget=0"),
      absl::StrCat("AF_XDP on ", interface.name));
  if (!device.ok()) return device.status();
  const std::vector<int> known = XdpSockets();
  Vdev::Queues queues;
  queues.count = interface.rx_queues;
  queues.rx_descriptors = kDescriptors;
  queues.tx_descriptors = kDescriptors;
  queues.mtu = info().mtu;
  queues.pool = pool_.get();
  sockets_.clear();
  queues.on_receive_queue = [&] {
    const std::vector<int> all = Without(XdpSockets(), known);
    const std::vector<int> fresh = Without(all, sockets_);
    sockets_.insert(sockets_.end(), fresh.begin(), fresh.end());
  };
  absl::Status status = (*device)->SetUpQueues(queues);
  if (status.ok()) status = (*device)->Start();
  if (status.ok()) {
    device_ = *std::move(device);
  } else {
    device->reset();
    CloseSockets(Without(XdpSockets(), known));
  }
  return status;
}

absl::Status AfXdpUplink::Start(const Interface& interface, bool zero_copy) {
  absl::StatusOr<std::unique_ptr<SteeringObject>> object =
      SteeringObject::Create();
  if (!object.ok()) return object.status();
  object_ = *std::move(object);
  rte_log_set_level_pattern("pmd.net.af_xdp", RTE_LOG_CRIT);
  const auto deadline = std::chrono::steady_clock::now() + kQueueRelease;
  absl::Status status = OpenDevice(interface, zero_copy);
  while (absl::IsInvalidArgument(status) &&
         std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(kRetryInterval);
    status = OpenDevice(interface, zero_copy);
  }
  if (!status.ok()) return status;
  return FindProgram();
}

absl::Status AfXdpUplink::FindProgram() {
  const absl::StatusOr<uint32_t> id = AttachedXdpProgramId(ifindex());
  if (!id.ok()) return id.status();
  absl::StatusOr<std::unique_ptr<SteeringMap>> map =
      SteeringMap::OfProgram(*id);
  if (!map.ok()) return map.status();
  program_id_ = *id;
  map_ = *std::move(map);
  return absl::OkStatus();
}

// Each port has every n-th queue.
absl::Status AfXdpUplink::MakePorts(uint16_t count) {
  if (sockets_.size() != info().queue_count) {
    return absl::InternalError(absl::StrCat("AF_XDP opened ", sockets_.size(),
                                            " sockets on ", info().device));
  }
  for (uint16_t first = 0; first < count; ++first) {
    std::vector<AfXdpPort::Queue> queues;
    for (uint16_t queue = first; queue < info().queue_count;
         queue = static_cast<uint16_t>(queue + count)) {
      queues.push_back({queue, sockets_[queue]});
    }
    absl::StatusOr<std::unique_ptr<AfXdpPort>> port = AfXdpPort::Make(
        info(), device_->port_id(), pool_.get(), std::move(queues));
    if (!port.ok()) return port.status();
    ports_.push_back(*std::move(port));
  }
  return absl::OkStatus();
}

absl::Status AfXdpUplink::SetEndpoints(std::span<const Endpoint> endpoints) {
  return map_->Set(endpoints);
}

}  // namespace lwt
