#include "drivers/ports/zero_copy.h"

#include <absl/strings/str_cat.h>
#include <errno.h>
#include <linux/if_xdp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

namespace lwt {
namespace {

constexpr uint32_t kChunkSize = 4096;
constexpr uint32_t kChunks = 64;
constexpr size_t kAreaSize = size_t{kChunkSize} * kChunks;

bool SetRing(int fd, int option) {
  const uint32_t entries = kChunks;
  return setsockopt(fd, SOL_XDP, option, &entries, sizeof(entries)) == 0;
}

bool SetUp(int fd, void* area) {
  xdp_umem_reg memory{};
  memory.addr = reinterpret_cast<uintptr_t>(area);
  memory.len = kAreaSize;
  memory.chunk_size = kChunkSize;
  return setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &memory, sizeof(memory)) == 0 &&
         SetRing(fd, XDP_UMEM_FILL_RING) &&
         SetRing(fd, XDP_UMEM_COMPLETION_RING) && SetRing(fd, XDP_RX_RING);
}

int TryBind(int fd, void* area, const Interface& interface) {
  if (!SetUp(fd, area)) return errno;
  sockaddr_xdp address{};
  address.sxdp_family = AF_XDP;
  address.sxdp_ifindex = static_cast<uint32_t>(interface.index);
  address.sxdp_flags = XDP_ZEROCOPY | XDP_USE_NEED_WAKEUP;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return errno;
  }
  return 0;
}

}  // namespace

absl::Status TryZeroCopy(const Interface& interface) {
  const int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (fd < 0) return absl::ErrnoToStatus(errno, "the kernel has no AF_XDP");
  void* area = mmap(nullptr, kAreaSize, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (area == MAP_FAILED) {
    close(fd);
    return absl::ErrnoToStatus(errno, "no memory for a trial of AF_XDP");
  }
  const int error = TryBind(fd, area, interface);
  close(fd);
  munmap(area, kAreaSize);
  if (error == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "no zero-copy AF_XDP on driver ",
      interface.driver.empty() ? "of unknown name" : interface.driver, " (",
      std::strerror(error), ")"));
}

}  // namespace lwt
