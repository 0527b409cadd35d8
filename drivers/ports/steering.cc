#include "drivers/ports/steering.h"

#include <absl/strings/str_cat.h>
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "drivers/ports/steer_object.h"
#include "drivers/ports/uplink.h"

namespace lwt {
namespace {

constexpr char kEndpointMap[] = "lwt_endpoints";
constexpr uint32_t kMaxMaps = 8;  // the program has two

// The layout of steer_key in steer.bpf.c.
struct SteerKey {
  uint8_t family = 0;
  uint8_t zero = 0;
  uint16_t port = 0;  // network byte order
  std::array<uint8_t, 16> address{};
};
static_assert(sizeof(SteerKey) == 20);

SteerKey KeyOf(const Endpoint& endpoint) {
  SteerKey key;
  key.family = static_cast<uint8_t>(endpoint.address.family);
  key.port = htons(endpoint.port);
  key.address = endpoint.address.bytes;
  return key;
}

bool Contains(std::span<const Endpoint> set, const Endpoint& endpoint) {
  return std::find(set.begin(), set.end(), endpoint) != set.end();
}

bool WriteAll(int fd, const unsigned char* data, size_t size) {
  while (size > 0) {
    const ssize_t written = write(fd, data, size);
    if (written <= 0) return false;
    data += written;
    size -= static_cast<size_t>(written);
  }
  return true;
}

bool IsNamed(int map_fd, const char* name) {
  bpf_map_info info{};
  uint32_t size = sizeof(info);
  return bpf_obj_get_info_by_fd(map_fd, &info, &size) == 0 &&
         std::strcmp(info.name, name) == 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SteeringObject>> SteeringObject::Create() {
  const int fd = memfd_create("lwt-steer", MFD_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, "cannot make a memory file");
  auto object = std::make_unique<SteeringObject>(fd);
  if (!WriteAll(fd, kSteerObject, sizeof(kSteerObject))) {
    return absl::ErrnoToStatus(errno, "cannot write the steering program");
  }
  return object;
}

SteeringObject::~SteeringObject() { close(fd_); }

std::string SteeringObject::path() const {
  return absl::StrCat("/proc/self/fd/", fd_);
}

absl::StatusOr<std::unique_ptr<SteeringMap>> SteeringMap::OfProgram(
    uint32_t program_id) {
  const int program_fd = bpf_prog_get_fd_by_id(program_id);
  if (program_fd < 0) {
    return absl::ErrnoToStatus(errno, "cannot open the steering program");
  }
  std::array<uint32_t, kMaxMaps> ids{};
  bpf_prog_info info{};
  info.nr_map_ids = kMaxMaps;
  info.map_ids = reinterpret_cast<uintptr_t>(ids.data());
  uint32_t size = sizeof(info);
  const int error = bpf_obj_get_info_by_fd(program_fd, &info, &size);
  close(program_fd);
  if (error != 0) {
    return absl::ErrnoToStatus(errno, "cannot read the steering program");
  }
  for (const uint32_t id :
       std::span(ids).first(std::min(info.nr_map_ids, kMaxMaps))) {
    const int fd = bpf_map_get_fd_by_id(id);
    if (fd < 0) continue;
    if (IsNamed(fd, kEndpointMap)) return std::make_unique<SteeringMap>(fd);
    close(fd);
  }
  return absl::NotFoundError(
      absl::StrCat("XDP program ", program_id, " is not our steering program"));
}

SteeringMap::~SteeringMap() { close(fd_); }

absl::Status SteeringMap::Set(std::span<const Endpoint> endpoints) {
  const uint8_t present = 1;
  for (const Endpoint& endpoint : endpoints) {
    const SteerKey key = KeyOf(endpoint);
    if (bpf_map_update_elem(fd_, &key, &present, BPF_ANY) != 0) {
      return absl::ErrnoToStatus(
          errno, absl::StrCat("cannot steer ", ToString(endpoint)));
    }
    if (!Contains(current_, endpoint)) current_.push_back(endpoint);
  }
  for (const Endpoint& endpoint : current_) {
    if (Contains(endpoints, endpoint)) continue;
    const SteerKey key = KeyOf(endpoint);
    bpf_map_delete_elem(fd_, &key);
  }
  current_.assign(endpoints.begin(), endpoints.end());
  return absl::OkStatus();
}

absl::StatusOr<uint32_t> AttachedXdpProgramId(int ifindex) {
  uint32_t id = 0;
  const int error = bpf_xdp_query_id(ifindex, 0, &id);
  if (error != 0) {
    return absl::ErrnoToStatus(
        -error,
        absl::StrCat("cannot ask for the XDP program of interface ", ifindex));
  }
  return id;
}

absl::Status DetachXdpProgram(int ifindex, uint32_t program_id) {
  const absl::StatusOr<uint32_t> attached = AttachedXdpProgramId(ifindex);
  if (absl::IsNotFound(attached.status())) return absl::OkStatus();
  if (!attached.ok()) return attached.status();
  if (*attached != program_id) return absl::OkStatus();
  const int program_fd = bpf_prog_get_fd_by_id(program_id);
  if (program_fd < 0) {
    return absl::ErrnoToStatus(
        errno, absl::StrCat("cannot open XDP program ", program_id));
  }
  // The kernel checks again that it is the one attached.
  bpf_xdp_attach_opts options{};
  options.sz = sizeof(options);
  options.old_prog_fd = program_fd;
  const int error = bpf_xdp_detach(ifindex, XDP_FLAGS_REPLACE, &options);
  close(program_fd);
  if (error == 0 || error == -EEXIST || error == -ENODEV) {
    return absl::OkStatus();
  }
  return absl::ErrnoToStatus(
      -error, absl::StrCat("cannot detach XDP program ", program_id,
                           " from interface ", ifindex));
}

}  // namespace lwt
