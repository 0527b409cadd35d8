#include "control/host/instance/undo.h"

#include <absl/strings/str_cat.h>
#include <bpf/bpf.h>
#include <dirent.h>
#include <net/if.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string_view>
#include <utility>

#include "control/base/files.h"
#include "control/host/guard/offload.h"
#include "control/host/instance/host_names.h"
#include "drivers/ports/uplink.h"

namespace lwt::host {
namespace {

bool HasInode(const std::string& path, uint64_t inode) {
  struct stat status;
  return stat(path.c_str(), &status) == 0 && status.st_ino == inode;
}

// Whether a process is in the namespace or a name in /run/netns keeps it.
bool NetnsIsAlive(uint64_t netns) {
  for (const auto& [root, behind] :
       {std::pair("/run/netns/", ""), std::pair("/proc/", "/ns/net")}) {
    const Directory directory(opendir(root));
    if (!directory) continue;
    while (const dirent* entry = readdir(directory.get())) {
      if (entry->d_name[0] == '.') continue;
      if (HasInode(absl::StrCat(root, entry->d_name, behind), netns)) {
        return true;
      }
    }
  }
  return false;
}

bool LinkIsThere(const HostChange& change) {
  char name[IF_NAMESIZE] = "";
  return if_indextoname(static_cast<unsigned>(change.ifindex), name) !=
             nullptr &&
         change.interface == name;
}

std::string Describe(const HostChange& change) {
  if (change.kind == HostChange::Kind::kXdp) {
    return absl::StrCat("XDP program of ", change.interface);
  }
  return absl::StrCat(change.feature, " of ", change.interface, " back ",
                      change.was_on ? "on" : "off");
}

// Of our steering program (drivers/ports/steer.bpf.c).
constexpr std::string_view kSteeringProgram = "lwt_steer";

bool IsSteeringProgram(uint32_t program_id) {
  const int fd = bpf_prog_get_fd_by_id(program_id);
  if (fd < 0) return false;
  bpf_prog_info info{};
  uint32_t size = sizeof(info);
  const bool known = bpf_obj_get_info_by_fd(fd, &info, &size) == 0;
  close(fd);
  return known && info.name == kSteeringProgram;
}

// The process died between the intent and the entry with the id: a program of
// ours that is attached now is its program.
absl::Status DetachUnnumbered(int ifindex) {
  const auto attached = AttachedXdpProgramId(ifindex);
  if (!attached.ok()) return attached.status();
  if (*attached == 0 || !IsSteeringProgram(*attached)) return absl::OkStatus();
  return DetachXdpProgram(ifindex, *attached);
}

absl::Status Undo(const HostChange& change) {
  if (change.kind == HostChange::Kind::kFeature) {
    return SetFeature(change.interface, change.feature, change.was_on);
  }
  if (change.program_id == 0) return DetachUnnumbered(change.ifindex);
  return DetachXdpProgram(change.ifindex, change.program_id);
}

// What became of the entry; `forget` says whether it is done with.
std::string UndoEntry(const HostChange& change, bool& forget) {
  const std::string what = Describe(change);
  forget = true;
  if (change.netns != CurrentNetns()) {
    if (!NetnsIsAlive(change.netns)) {
      return what + ": its network namespace is gone";
    }
    forget = false;
    return absl::StrCat(what, ": kept, as it is in another network namespace (",
                        change.netns,
                        "); run `lightweight-tunnel -cleanup` "
                        "in that one");
  }
  if (!LinkIsThere(change)) return what + ": the interface is gone";
  const absl::Status status = Undo(change);
  forget = status.ok();
  return status.ok() ? what + ": done"
                     : absl::StrCat(what, ": kept, as it failed: ",
                                    std::string(status.message()));
}

// Of one instance, whose lock is held.
void CleanInstance(const std::string& run_dir, const std::string& name,
                   std::vector<std::string>& report) {
  auto journal = Journal::Open(run_dir + "/journal");
  if (!journal.ok()) {
    report.push_back(
        absl::StrCat(name, ": ", std::string(journal.status().message())));
    return;
  }
  for (const std::string& line : UndoStale(*journal)) {
    report.push_back(absl::StrCat(name, ": ", line));
  }
  const std::string names = HostNames::TakeBackNoted(run_dir + "/names");
  if (!names.empty()) report.push_back(absl::StrCat(name, ": ", names));
  RemoveControlSocket(run_dir);
  RemoveScratch(run_dir);
}

// The newest first: changes of one thing are undone in the order that they
// stand on each other.
template <typename Matches>
std::vector<std::string> UndoMatching(Journal& journal, Matches matches) {
  std::vector<std::string> report;
  const std::vector<HostChange> entries = journal.entries();
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    if (!matches(*entry)) continue;
    bool forget = false;
    report.push_back(UndoEntry(*entry, forget));
    if (!forget) continue;
    if (auto status = journal.Forget(*entry); !status.ok()) {
      report.push_back(std::string(status.message()));
    }
  }
  return report;
}

}  // namespace

std::vector<std::string> UndoStale(Journal& journal) {
  return UndoMatching(journal, [](const HostChange&) { return true; });
}

std::vector<std::string> UndoAt(Journal& journal, int ifindex) {
  return UndoMatching(journal,
                      [ifindex, netns = CurrentNetns()](const HostChange& e) {
                        return e.ifindex == ifindex && e.netns == netns;
                      });
}

absl::StatusOr<std::vector<std::string>> CleanUp(const std::string& run_root) {
  std::vector<std::string> report;
  const absl::StatusOr<StartTurn> turn = StartTurn::Take(run_root);
  if (absl::IsNotFound(turn.status())) return report;
  if (!turn.ok()) return turn.status();
  const Directory directory(opendir(run_root.c_str()));
  if (!directory) {
    return absl::ErrnoToStatus(errno, "cannot list " + run_root);
  }
  while (const dirent* entry = readdir(directory.get())) {
    const std::string name = entry->d_name;
    if (name.front() == '.') continue;
    const std::string run_dir = absl::StrCat(run_root, "/", name);
    auto lock = PidLock::Acquire(run_dir + "/pid");
    if (!lock.ok()) {
      report.push_back(absl::StrCat(
          name, ": left alone: ", std::string(lock.status().message())));
      continue;
    }
    CleanInstance(run_dir, name, report);
    lock->Remove();
    RemoveRunDirectory(run_dir);
    const bool gone = access(run_dir.c_str(), F_OK) != 0;
    report.push_back(
        absl::StrCat(name, gone ? ": removed " : ": files left in ", run_dir));
  }
  return report;
}

}  // namespace lwt::host
