#include "control/host/guard/port_owner.h"

#include <absl/strings/str_cat.h>
#include <dirent.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>

#include "control/base/files.h"
#include "control/host/net/netlink_attributes.h"

namespace lwt::host {
namespace {

std::string ReadProcFile(const std::string& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::vector<uint64_t> InodesInText(uint16_t port) {
  // Of the calling thread's network namespace.
  auto inodes =
      SocketInodesOfPort(ReadProcFile("/proc/thread-self/net/tcp"), port);
  const auto ipv6 =
      SocketInodesOfPort(ReadProcFile("/proc/thread-self/net/tcp6"), port);
  inodes.insert(inodes.end(), ipv6.begin(), ipv6.end());
  return inodes;
}

// Sockets that are bound and do nothing, as another gateway's reservation, are
// not in the text. sock_diag(7) has them since Linux 6.8.
void AppendDiagInodes(mnl_socket* socket, uint8_t family, uint16_t port,
                      std::vector<uint64_t>& inodes) {
  alignas(NLMSG_ALIGNTO) char request[128];
  nlmsghdr* header = mnl_nlmsg_put_header(request);
  header->nlmsg_type = SOCK_DIAG_BY_FAMILY;
  header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  constexpr int kBoundInactive = 13;  // TCP_BOUND_INACTIVE, newer than our libc
  const inet_diag_req_v2 query{.sdiag_family = family,
                               .sdiag_protocol = IPPROTO_TCP,
                               .idiag_states = 1u << kBoundInactive};
  std::memcpy(mnl_nlmsg_put_extra_header(header, sizeof(query)), &query,
              sizeof(query));
  if (mnl_socket_sendto(socket, header, header->nlmsg_len) < 0) return;
  std::vector<uint8_t> buffer(32768);
  while (true) {
    const ssize_t size =
        mnl_socket_recvfrom(socket, buffer.data(), buffer.size());
    if (size <= 0) return;
    Bytes rest(buffer.data(), static_cast<size_t>(size));
    while (const auto message = TakeMessage(rest)) {
      const uint16_t type = MessageType(*message);
      if (type == NLMSG_DONE || type == NLMSG_ERROR) return;
      const auto found = BodyOf<inet_diag_msg>(*message);
      if (found && ntohs(found->id.idiag_sport) == port) {
        inodes.push_back(found->idiag_inode);
      }
    }
  }
}

void AppendDiagInodes(uint16_t port, std::vector<uint64_t>& inodes) {
  mnl_socket* socket = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
  if (socket == nullptr) return;
  const timeval timeout{.tv_sec = 1, .tv_usec = 0};
  setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &timeout,
             sizeof(timeout));
  if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) == 0) {
    AppendDiagInodes(socket, AF_INET, port, inodes);
    AppendDiagInodes(socket, AF_INET6, port, inodes);
  }
  mnl_socket_close(socket);
}

// Whether the descriptor directory has one of the sockets.
bool HasSocket(const std::string& fd_dir,
               const std::vector<std::string>& links) {
  const Directory directory(opendir(fd_dir.c_str()));
  if (!directory) return false;
  while (const dirent* entry = readdir(directory.get())) {
    char target[64];
    const ssize_t size = readlinkat(dirfd(directory.get()), entry->d_name,
                                    target, sizeof(target));
    if (size <= 0) continue;
    const std::string_view text(target, static_cast<size_t>(size));
    if (std::find(links.begin(), links.end(), text) != links.end()) return true;
  }
  return false;
}

}  // namespace

std::optional<std::string> OwnerOfPort(uint16_t port) {
  std::vector<uint64_t> inodes = InodesInText(port);
  AppendDiagInodes(port, inodes);
  if (inodes.empty()) return std::nullopt;
  std::vector<std::string> links;
  for (const uint64_t inode : inodes) {
    links.push_back(absl::StrCat("socket:[", inode, "]"));
  }
  const Directory proc(opendir("/proc"));
  if (!proc) return std::nullopt;
  while (const dirent* entry = readdir(proc.get())) {
    const int pid = atoi(entry->d_name);
    if (pid <= 0) continue;
    const std::string base = absl::StrCat("/proc/", pid);
    if (!HasSocket(base + "/fd", links)) continue;
    std::string name = ReadProcFile(base + "/comm");
    while (!name.empty() && name.back() == '\n') name.pop_back();
    return absl::StrCat(name, " (pid ", pid, ")");
  }
  return std::nullopt;
}

}  // namespace lwt::host
