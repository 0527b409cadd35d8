#include "drivers/ports/interface.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "drivers/headers.h"

namespace lwt {
namespace {

// From newer kernel headers: an interface that carries plain IP.
constexpr unsigned short kArphrdRawIp = 519;

ifreq RequestFor(const std::string& name) {
  ifreq request{};
  std::memcpy(request.ifr_name, name.data(),
              std::min(name.size(), sizeof(request.ifr_name) - 1));
  return request;
}

absl::StatusOr<uint8_t> LinkHeaderSize(const std::string& name,
                                       unsigned short type) {
  switch (type) {
    case ARPHRD_ETHER:
    case ARPHRD_LOOPBACK:
      return wire::kEthernetSize;
    case ARPHRD_NONE:
    case ARPHRD_PPP:
    case kArphrdRawIp:
      return uint8_t{0};
    default:
      return absl::FailedPreconditionError(absl::StrCat(
          "interface ", name, " has link layer type ", type,
          "; an uplink needs Ethernet or one without a link header"));
  }
}

// Interfaces without ethtool operations keep the defaults.
void ReadEthtool(int fd, Interface& interface) {
  ifreq request = RequestFor(interface.name);
  ethtool_drvinfo info{};
  info.cmd = ETHTOOL_GDRVINFO;
  request.ifr_data = reinterpret_cast<char*>(&info);
  if (ioctl(fd, SIOCETHTOOL, &request) == 0) {
    interface.driver.assign(info.driver,
                            strnlen(info.driver, sizeof(info.driver)));
  }
  ethtool_channels channels{};
  channels.cmd = ETHTOOL_GCHANNELS;
  request.ifr_data = reinterpret_cast<char*>(&channels);
  if (ioctl(fd, SIOCETHTOOL, &request) == 0) {
    interface.rx_queues = static_cast<uint16_t>(
        std::max(1u, channels.combined_count + channels.rx_count));
    interface.queues_are_paired =
        interface.rx_queues == 1 || channels.rx_count == 0;
  }
}

absl::StatusOr<Interface> Read(int fd, const std::string& name) {
  ifreq request = RequestFor(name);
  if (name.empty() || name.size() >= IFNAMSIZ ||
      ioctl(fd, SIOCGIFINDEX, &request) != 0) {
    return absl::NotFoundError(
        absl::StrCat("there is no network interface \"", name, "\""));
  }
  Interface interface;
  interface.name = name;
  interface.index = request.ifr_ifindex;
  if (ioctl(fd, SIOCGIFMTU, &request) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", name));
  }
  interface.mtu = static_cast<uint32_t>(request.ifr_mtu);
  if (ioctl(fd, SIOCGIFHWADDR, &request) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", name));
  }
  absl::StatusOr<uint8_t> size =
      LinkHeaderSize(name, request.ifr_hwaddr.sa_family);
  if (!size.ok()) return size.status();
  interface.link_header_size = *size;
  ReadEthtool(fd, interface);
  return interface;
}

}  // namespace

absl::StatusOr<Interface> ReadInterface(const std::string& name) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return absl::ErrnoToStatus(errno, "cannot open a socket");
  absl::StatusOr<Interface> interface = Read(fd, name);
  close(fd);
  return interface;
}

}  // namespace lwt
