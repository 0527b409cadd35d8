#include "drivers/uplink/af_xdp.h"

#include <absl/strings/str_cat.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <netinet/in.h>
#include <rte_ethdev.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <sys/epoll.h>
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

namespace lwt {
namespace {

constexpr uint16_t kEthernetHeaderSize = 14;
constexpr uint16_t kVlanLinkHeaderSize = 18;
constexpr uint16_t kEtherTypeVlan = 0x8100;
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
  if (interface.link_header_size != kEthernetHeaderSize) {
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

uint16_t LinkHeaderSizeOf(const rte_mbuf* frame) {
  uint16_t type = 0;
  if (frame->data_len >= kVlanLinkHeaderSize) {
    std::memcpy(&type, rte_pktmbuf_mtod_offset(frame, char*, 12), sizeof(type));
  }
  return type == htons(kEtherTypeVlan) ? kVlanLinkHeaderSize
                                       : kEthernetHeaderSize;
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
  info.device = interface.name;
  info.link_header_size = kEthernetHeaderSize;
  info.mtu = static_cast<uint16_t>(interface.mtu);
  info.queue_count = interface.rx_queues;
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
      kMinDataSize, interface.mtu + kVlanLinkHeaderSize + kXdpHeadroom);
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
    const Interface& interface, bool zero_copy) {
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
  const absl::Status started = uplink->Start(interface, zero_copy);
  if (!started.ok()) return started;
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
  if (epoll_fd_ >= 0) close(epoll_fd_);
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
  absl::Status status = (*device)->SetUpQueues(queues);
  if (status.ok()) status = (*device)->Start();
  sockets_ = Without(XdpSockets(), known);
  if (status.ok()) {
    device_ = *std::move(device);
  } else {
    device->reset();
    CloseSockets(sockets_);
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
  port_id_ = device_->port_id();
  status = FindProgram();
  if (status.ok()) status = WatchSockets();
  return status;
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

absl::Status AfXdpUplink::WatchSockets() {
  if (sockets_.size() != info().queue_count) {
    return absl::InternalError(absl::StrCat("AF_XDP opened ", sockets_.size(),
                                            " sockets on ", info().device));
  }
  epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  for (const int fd : sockets_) {
    epoll_event readable{};
    readable.events = EPOLLIN;
    if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &readable) != 0) {
      return absl::ErrnoToStatus(
          errno, absl::StrCat("cannot watch AF_XDP on ", info().device));
    }
  }
  return absl::OkStatus();
}

absl::Status AfXdpUplink::SetEndpoints(std::span<const Endpoint> endpoints) {
  return map_->Set(endpoints);
}

uint16_t AfXdpUplink::Receive(std::span<rte_mbuf*> frames) {
  uint16_t count = 0;
  for (uint16_t i = 0; i < info().queue_count && count < frames.size(); ++i) {
    const uint16_t queue = next_queue_;
    next_queue_ = static_cast<uint16_t>((queue + 1) % info().queue_count);
    count = static_cast<uint16_t>(
        count + rte_eth_rx_burst(port_id_, queue, &frames[count],
                                 static_cast<uint16_t>(frames.size() - count)));
  }
  for (rte_mbuf* frame : frames.first(count)) {
    frame->l2_len = LinkHeaderSizeOf(frame);
  }
  return count;
}

// The driver reads pkt_len bytes from the first segment, and takes an mbuf of
// its own pool for one whose bytes are in its own buffer.
AfXdpUplink::Readiness AfXdpUplink::MakeReady(rte_mbuf*& frame) {
  if (frame->pkt_len == 0 ||
      frame->pkt_len > uint32_t{info().mtu} + kVlanLinkHeaderSize) {
    return Readiness::kRefused;
  }
  if (frame->nb_segs == 1 &&
      (frame->pool != pool_.get() || RTE_MBUF_DIRECT(frame))) {
    return Readiness::kReady;
  }
  rte_mbuf* copy = rte_pktmbuf_copy(frame, pool_.get(), 0, UINT32_MAX);
  if (copy == nullptr) return Readiness::kNoBuffer;
  rte_pktmbuf_free(std::exchange(frame, copy));
  return Readiness::kReady;
}

uint16_t AfXdpUplink::Transmit(std::span<rte_mbuf*> frames) {
  size_t done = 0;
  while (done < frames.size()) {
    size_t end = done;
    Readiness last = Readiness::kReady;
    while (end < frames.size()) {
      last = MakeReady(frames[end]);
      if (last != Readiness::kReady) break;
      ++end;
    }
    if (end > done) {
      done += rte_eth_tx_burst(port_id_, 0, &frames[done],
                               static_cast<uint16_t>(end - done));
    }
    if (done < end || last == Readiness::kNoBuffer) break;
    if (last == Readiness::kRefused) {
      refused_.store(refused_.load(std::memory_order_relaxed) + 1,
                     std::memory_order_relaxed);
      rte_pktmbuf_free(frames[done]);
      ++done;
    }
  }
  return static_cast<uint16_t>(done);
}

PortCounters AfXdpUplink::ReadCounters() const {
  PortCounters counters;
  rte_eth_stats statistics{};
  if (rte_eth_stats_get(port_id_, &statistics) == 0) {
    counters.rx_missed = statistics.imissed;
    counters.rx_no_buffer = statistics.rx_nombuf;
  }
  counters.tx_refused = refused_.load(std::memory_order_relaxed);
  return counters;
}

}  // namespace lwt
