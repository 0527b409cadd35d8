// The other end of a gateway's memif, for tests: connects to the socket as a
// client and joins the memif to a TAP device of this namespace, so that the
// kernel here plays the LAN host.
//
//   memif_host SOCKET DEVICE
//
// Prints "ready" once the memif is connected, then runs until it is killed.
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <string>

namespace {

constexpr uint16_t kPort = 0;
constexpr uint16_t kDescriptors = 1024;
constexpr uint16_t kBurst = 32;
constexpr uint16_t kLargestFrame = 1514;

int Fail(const char* what) {
  std::fprintf(stderr, "memif_host: %s\n", what);
  return 1;
}

int OpenTap(const char* name) {
  const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  ifreq request{};
  std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0) return -1;
  return fd;
}

bool StartEal(const std::string& socket) {
  std::string device =
      "--vdev=net_memif0,role=client,socket-abstract=no,socket=" + socket;
  std::array<std::string, 7> words = {"memif_host", "--no-huge",   "-m128",
                                      "--no-pci",   "--no-shconf", "-l0",
                                      device};
  std::array<char*, 7> arguments{};
  for (size_t i = 0; i < words.size(); ++i) arguments[i] = words[i].data();
  return rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) >=
         0;
}

bool StartMemif(rte_mempool* pool) {
  const rte_eth_conf none{};
  return rte_eth_dev_configure(kPort, 1, 1, &none) == 0 &&
         rte_eth_rx_queue_setup(kPort, 0, kDescriptors, SOCKET_ID_ANY, nullptr,
                                pool) == 0 &&
         rte_eth_tx_queue_setup(kPort, 0, kDescriptors, SOCKET_ID_ANY,
                                nullptr) == 0 &&
         rte_eth_dev_start(kPort) == 0;
}

bool IsConnected() {
  rte_eth_link link{};
  return rte_eth_link_get_nowait(kPort, &link) == 0 &&
         link.link_status == RTE_ETH_LINK_UP;
}

bool FromMemif(int tap) {
  std::array<rte_mbuf*, kBurst> frames;
  const uint16_t count = rte_eth_rx_burst(kPort, 0, frames.data(), kBurst);
  for (uint16_t i = 0; i < count; ++i) {
    // What the device does not take is lost, as on a wire.
    [[maybe_unused]] const ssize_t written =
        write(tap, rte_pktmbuf_mtod(frames[i], void*), frames[i]->data_len);
    rte_pktmbuf_free(frames[i]);
  }
  return count > 0;
}

bool FromTap(int tap, rte_mempool* pool) {
  rte_mbuf* frame = rte_pktmbuf_alloc(pool);
  if (frame == nullptr) return false;
  const ssize_t size = read(tap, rte_pktmbuf_mtod(frame, void*), kLargestFrame);
  if (size <= 0) {
    rte_pktmbuf_free(frame);
    return false;
  }
  frame->data_len = static_cast<uint16_t>(size);
  frame->pkt_len = frame->data_len;
  if (rte_eth_tx_burst(kPort, 0, &frame, 1) == 0) rte_pktmbuf_free(frame);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return Fail("usage: memif_host SOCKET DEVICE");
  if (!StartEal(argv[1])) return Fail("EAL does not start");
  rte_mempool* pool = rte_pktmbuf_pool_create(
      "frames", 8191, 64, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  if (pool == nullptr || !StartMemif(pool)) return Fail("no memif");
  const int tap = OpenTap(argv[2]);
  if (tap < 0) return Fail("no TAP device");
  while (!IsConnected()) usleep(1000);
  std::puts("ready");
  std::fflush(stdout);
  while (true) {
    const bool in = FromMemif(tap);
    const bool out = FromTap(tap, pool);
    if (!in && !out) usleep(50);
  }
}
