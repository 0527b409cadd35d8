// One running gateway's place on the host: its directories, its lock.
//
// An instance is named by mode and tunnel address, "server-10.0.0.1"; where
// that is leased, by mode and its hub, "client-vpn.example.com_9000". Given an
// explicit control socket, the name has a digest of that path added, so that
// gateways of equal mode and address in different network namespaces, which
// share /run, coexist. The state directory, which holds the static key, is
// locked too: two gateways never run on one key.
//
//   /var/lib/lightweight-tunnel/<name>/   state, mode 0700, stays; the name
//                                         without digest; -state-dir overrides
//   /run/lightweight-tunnel/<name>/       mode 0700, removed at a clean exit
//       pid            the lock, with the process id in it
//       journal        changes of the host to undo (journal.h)
//       names          whose name servers are to be taken back (host_names.h)
//       control.sock   the control socket, or a link to the one of
//                      -control-socket
//       dpdk/          while DPDK starts
//   /run/lightweight-tunnel/.starting     while an instance is claimed
//
// A service manager may have made both for this gateway alone; the run
// directory is then used as it is, stays, and holds .starting too.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <string_view>

#include "control/host/instance/control_socket.h"
#include "drivers/ip_endpoint.h"

namespace lwt::host {

inline constexpr std::string_view kStateRoot = "/var/lib/lightweight-tunnel";
inline constexpr std::string_view kRunRoot = "/run/lightweight-tunnel";

struct InstanceSpec {
  std::string mode;  // "server" or "client"
  IpAddress tunnel_address;
  std::string hub;             // in place of it, where it is not empty
  std::string state_dir;       // empty: the default
  std::string run_dir;         // that somebody made for us; empty: the default
  std::string control_socket;  // empty: the default
  std::string state_root = std::string(kStateRoot);
  std::string run_root = std::string(kRunRoot);
};

struct InstancePaths {
  std::string name;
  std::string state_dir;
  std::string run_dir;
  bool run_dir_is_ours = true;  // to be made and removed
  std::string control_socket;
  std::string journal;
  std::string pid_file;
};

// Nothing but letters, digits, '.', '-' and '_' gets into the name.
InstancePaths PathsOf(const InstanceSpec& spec);

// A file held by flock(2) with the holder's process id in it.
class PidLock {
 public:
  // AlreadyExists, naming the running process, when another one holds it.
  static absl::StatusOr<PidLock> Acquire(const std::string& path);
  PidLock(PidLock&& other) noexcept;
  PidLock& operator=(PidLock&& other) noexcept;
  ~PidLock();  // Frees the lock; the file stays.

  // Removes the file, then frees the lock.
  void Remove();
  bool held() const { return fd_ >= 0; }  // false when moved from

 private:
  PidLock(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  int fd_;
  std::string path_;
};

// Owned by the control thread, for the whole life of the process.
class Instance {
 public:
  // Makes the directories, locks them, removes what a dead predecessor left in
  // the run directory but its journal, and listens at the control socket.
  // AlreadyExists when the instance runs, or another one listens there, naming
  // the process.
  static absl::StatusOr<Instance> Claim(const InstanceSpec& spec);
  Instance(Instance&&) noexcept = default;
  Instance& operator=(Instance&&) = delete;
  // Removes the run directory and its parent when nothing is left in them: a
  // journal that still has entries keeps its place.
  ~Instance();

  const InstancePaths& paths() const { return paths_; }
  // The listening control socket; stays the instance's.
  int control_socket() const { return socket_->fd(); }

 private:
  Instance(InstancePaths paths, PidLock run_lock)
      : paths_(std::move(paths)), run_lock_(std::move(run_lock)) {}
  absl::Status TakeRest();

  InstancePaths paths_;
  PidLock run_lock_;
  std::optional<PidLock> state_lock_;
  std::optional<ControlSocket> socket_;
};

// Of an instance whose lock the caller holds. The first follows the link to an
// explicit control socket, which goes unless somebody listens there; the second
// removes what DPDK made in the run directory; the third does nothing while
// files are left.
void RemoveControlSocket(const std::string& run_dir);
void RemoveScratch(const std::string& run_dir);
void RemoveRunDirectory(const std::string& run_dir);

}  // namespace lwt::host
