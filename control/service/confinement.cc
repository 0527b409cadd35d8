#include "control/service/confinement.h"

#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "control/service/system_calls.h"

namespace lwt::service {
namespace {

// Nobody else sends it to us, and its default is to be ignored.
constexpr int kDropSignal = SIGURG;
constexpr timespec kLook{0, 1'000'000};
constexpr int kLooks = 10'000;  // ten seconds, for a host that is busy

constexpr CapabilitySet Bit(int capability) {
  return CapabilitySet{1} << capability;
}

constexpr struct {
  int number;
  const char* name;
} kNames[] = {{CAP_NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE"},
              {CAP_NET_ADMIN, "CAP_NET_ADMIN"},
              {CAP_NET_RAW, "CAP_NET_RAW"},
              {CAP_IPC_LOCK, "CAP_IPC_LOCK"},
              {CAP_BPF, "CAP_BPF"}};

// Of the calling thread.
CapabilitySet Permitted() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  if (syscall(SYS_capget, &header, data) != 0) return 0;
  return data[0].permitted | CapabilitySet{data[1].permitted} << 32;
}

// What the handler does in each thread. Written before the signal is sent.
std::atomic<CapabilitySet> kept_set;
std::atomic<bool> failed;

// capset(2) is per thread, so each has to call it; the library's wrapper that
// does so for all knows only threads that itself has made.
void DropHere(int) {
  const int error = errno;
  const CapabilitySet kept = kept_set.load(std::memory_order_relaxed);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  data[0].effective = data[0].permitted = static_cast<uint32_t>(kept);
  data[1].effective = data[1].permitted = static_cast<uint32_t>(kept >> 32);
  // Before: whoever holds none can lower none.
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (syscall(SYS_capset, &header, data) != 0) {
    failed.store(true, std::memory_order_relaxed);
  }
  errno = error;
}

std::vector<pid_t> Threads() {
  std::vector<pid_t> threads;
  const std::unique_ptr<DIR, decltype([](DIR* dir) { closedir(dir); })>
      directory(opendir("/proc/self/task"));
  if (!directory) return threads;
  while (const dirent* entry = readdir(directory.get())) {
    const pid_t thread = atoi(entry->d_name);
    if (thread > 0) threads.push_back(thread);
  }
  return threads;
}

// What a thread is permitted; ~0 when it cannot be told, 0 when it has ended.
CapabilitySet PermittedOf(pid_t thread) {
  const std::string path = absl::StrCat("/proc/self/task/", thread, "/status");
  const std::unique_ptr<FILE, decltype([](FILE* file) { fclose(file); })> file(
      fopen(path.c_str(), "re"));
  if (!file) return errno == ENOENT || errno == ESRCH ? 0 : ~CapabilitySet{0};
  char line[256];
  while (fgets(line, sizeof(line), file.get()) != nullptr) {
    if (strncmp(line, "CapPrm:", 7) == 0)
      return strtoull(line + 7, nullptr, 16);
  }
  return ~CapabilitySet{0};
}

bool AllHaveDropped(CapabilitySet kept) {
  for (const pid_t thread : Threads()) {
    if ((PermittedOf(thread) & ~kept) != 0) return false;
  }
  return true;
}

#ifndef NDEBUG
// A call that the filter forbids: it is told and fails.
void OnForbidden(int, siginfo_t* info, void* context) {
  char line[96];
  const int size = snprintf(
      line, sizeof(line), "error forbidden system call %d\n", info->si_syscall);
  if (write(STDERR_FILENO, line, static_cast<size_t>(size)) < 0) abort();
  static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RAX] = -EPERM;
}
#endif

// What is done with all but what is allowed.
uint32_t OnAnother() {
#ifdef NDEBUG
  return SCMP_ACT_KILL_PROCESS;
#else
  struct sigaction action {};
  action.sa_sigaction = OnForbidden;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSYS, &action, nullptr);
  return SCMP_ACT_TRAP;
#endif
}

class Filter {
 public:
  Filter() : context_(seccomp_init(OnAnother())) {}
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;
  ~Filter() { seccomp_release(context_); }

  void Allow(const char* name) {
    const int number = seccomp_syscall_resolve_name(name);
    // One that this library does not know is nobody's here.
    if (number == __NR_SCMP_ERROR) return;
    Keep(seccomp_rule_add(context_, SCMP_ACT_ALLOW, number, 0));
  }
  void AllowFamily(int family) {
    Keep(seccomp_rule_add(
        context_, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
        SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(family))));
  }
  // Whoever tries it goes on without: "auto" does, where an uplink changes.
  void RefuseAfXdp() {
    Keep(seccomp_rule_add(context_, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(bpf), 0));
    Keep(seccomp_rule_add(context_, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1,
                          SCMP_A0(SCMP_CMP_EQ, AF_XDP)));
  }
  // A thread, no process. clone3 has its flags in memory, where no filter sees
  // them; without it the C library calls clone.
  void AllowThreads() {
    Keep(seccomp_rule_add(
        context_, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
        SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)));
    Keep(seccomp_rule_add(context_, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3),
                          0));
  }
  absl::Status Load() {
    // Of all threads, and a tree in place of a list.
    Keep(seccomp_attr_set(context_, SCMP_FLTATR_CTL_TSYNC, 1));
    Keep(seccomp_attr_set(context_, SCMP_FLTATR_CTL_OPTIMIZE, 2));
    Keep(seccomp_attr_set(context_, SCMP_FLTATR_CTL_SSB, 1));
    Keep(seccomp_load(context_));
    if (error_ == 0) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat("cannot forbid system calls: ", strerror(error_),
                     "; needed is a kernel with seccomp filters"));
  }

 private:
  void Keep(int result) {
    if (result < 0 && error_ == 0) error_ = -result;
  }

  const scmp_filter_ctx context_;
  int error_ = 0;
};

}  // namespace

void HideMemory() {
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

CapabilitySet CapabilitiesFor(const Needs& needs) {
  CapabilitySet set = Bit(CAP_NET_ADMIN) | Bit(CAP_NET_RAW);
  if (needs.af_xdp) set |= Bit(CAP_BPF) | Bit(CAP_IPC_LOCK);
  if (needs.port_below_1024) set |= Bit(CAP_NET_BIND_SERVICE);
  return set;
}

std::string NamesOfHeld(CapabilitySet set) {
  std::string names;
  const CapabilitySet held = set & Permitted();
  for (const auto& [number, name] : kNames) {
    if ((held & Bit(number)) == 0) continue;
    absl::StrAppend(&names, names.empty() ? "" : ", ", name);
  }
  return names;
}

absl::Status DropCapabilities(CapabilitySet kept) {
  kept_set.store(kept & Permitted());
  failed.store(false);
  struct sigaction drop {};
  struct sigaction before {};
  drop.sa_handler = DropHere;
  drop.sa_flags = SA_RESTART;
  sigaction(kDropSignal, &drop, &before);
  // Of the set of this thread first, which all others are made by.
  DropHere(kDropSignal);
  bool done = false;
  for (int look = 0; look < kLooks && !done && !failed; ++look) {
    for (const pid_t thread : Threads()) {
      if ((PermittedOf(thread) & ~kept_set) == 0) continue;
      syscall(SYS_tgkill, getpid(), thread, kDropSignal);
    }
    nanosleep(&kLook, nullptr);
    done = AllHaveDropped(kept_set);
  }
  sigaction(kDropSignal, &before, nullptr);
  if (done) return absl::OkStatus();
  return absl::InternalError("cannot give up capabilities in all threads");
}

absl::Status ForbidSystemCalls(const Needs& needs) {
  Filter filter;
  for (const char* name : kSystemCalls) filter.Allow(name);
  for (const int family : {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET}) {
    filter.AllowFamily(family);
  }
  if (needs.af_xdp) {
    filter.AllowFamily(AF_XDP);
    filter.Allow("bpf");
  } else {
    filter.RefuseAfXdp();
  }
  filter.AllowThreads();
  return filter.Load();
}

}  // namespace lwt::service
