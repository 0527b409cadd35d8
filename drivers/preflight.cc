#include "drivers/preflight.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <glob.h>
#include <rte_eal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "drivers/cpu_needs.h"
#include "drivers/cpu_set.h"
#include "drivers/memory_limit.h"
#include "drivers/scoped_fd.h"
#include "drivers/text_file.h"

namespace lwt {
namespace {

// Bits of <linux/capability.h>.
enum Capability : unsigned {
  kCapNetAdmin = 12,
  kCapNetRaw = 13,
  kCapIpcLock = 14,
  kCapSysAdmin = 21,
  kCapBpf = 39,
};

constexpr auto kCpuFlags = [] {
  std::array<std::string_view, std::size(kCpuNeeds)> names;
  std::transform(std::begin(kCpuNeeds), std::end(kCpuNeeds), names.begin(),
                 [](const CpuNeed& need) { return need.name; });
  return names;
}();
constexpr std::array<std::string_view, 2> kFasterCpuFlags = {"vaes", "avx512f"};

bool Has(uint64_t capabilities, Capability capability) {
  return ((capabilities >> capability) & 1) != 0;
}

uint64_t Capabilities(const PreflightInput& input) {
  return ParseEffectiveCapabilities(
      ReadTextFile(input.proc_root + "/self/status"));
}

bool WantsXdp(const PreflightInput& input) {
  return input.uplink_driver == "af_xdp";
}

bool MayTakeXdp(const PreflightInput& input) {
  return input.uplink_driver != "af_packet";
}

Finding CheckPrivileges(const PreflightInput& input) {
  const uint64_t held = Capabilities(input);
  std::vector<std::string> missing;
  if (!Has(held, kCapNetAdmin)) missing.push_back("CAP_NET_ADMIN");
  if (!Has(held, kCapNetRaw)) missing.push_back("CAP_NET_RAW");
  Finding finding{.subject = "privileges"};
  if (!missing.empty()) {
    finding.level = FindingLevel::kFail;
    finding.text = absl::StrCat(absl::StrJoin(missing, " and "), " missing");
    finding.fix = absl::StrCat("sudo ", input.program, " ...");
    return finding;
  }
  finding.text = "CAP_NET_ADMIN, CAP_NET_RAW";
  if (MayTakeXdp(input) && !Has(held, kCapSysAdmin) && !Has(held, kCapBpf)) {
    finding.level = WantsXdp(input) ? FindingLevel::kFail : FindingLevel::kWarn;
    absl::StrAppend(&finding.text, "; no CAP_BPF, so no af_xdp");
    finding.fix = absl::StrCat(
        "sudo setcap cap_net_admin,cap_net_raw,cap_bpf+ep ", input.program);
  }
  return finding;
}

Finding CheckTunDevice(const PreflightInput& input) {
  const std::string path = input.dev_root + "/net/tun";
  Finding finding{.subject = "tun device", .text = path};
  const ScopedFd fd(open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
  int error = fd.get() >= 0 ? 0 : errno;
  struct stat info {};
  if (error == 0 && fstat(fd.get(), &info) == 0 && !S_ISCHR(info.st_mode)) {
    error = ENOTTY;
  }
  if (error == 0) return finding;
  finding.level = FindingLevel::kFail;
  absl::StrAppend(&finding.text, ": ", std::strerror(error));
  if (error == EACCES || error == EPERM) {
    finding.fix = absl::StrCat("sudo ", input.program, " ...");
  } else if (error == ENODEV || error == ENXIO) {
    finding.fix = "sudo modprobe tun";
  } else {
    finding.fix = absl::StrCat(
        "sudo modprobe tun; test -e ", path, " || { sudo mkdir -p ",
        input.dev_root, "/net && sudo mknod -m 666 ", path, " c 10 200; }");
  }
  return finding;
}

Finding CheckCpuFeatures(const PreflightInput& input) {
  const std::string cpuinfo = ReadTextFile(input.proc_root + "/cpuinfo");
  const std::vector<std::string> missing = MissingCpuFlags(cpuinfo, kCpuFlags);
  Finding finding{.subject = "cpu features"};
  if (!missing.empty()) {
    finding.level = FindingLevel::kFail;
    finding.text = absl::StrCat("the CPU lacks ", absl::StrJoin(missing, ", "));
    finding.fix =
        "in a virtual machine, show it the host's CPU: qemu-system-x86_64 "
        "-cpu host";
    return finding;
  }
  finding.text = "AVX2, AES, PCLMULQDQ";
  const auto slower = MissingCpuFlags(cpuinfo, kFasterCpuFlags);
  if (slower.empty()) {
    finding.text += ", and VAES with AVX-512 for encryption";
  } else {
    absl::StrAppend(&finding.text, "; without ", absl::StrJoin(slower, ", "),
                    " encryption is slower");
  }
  return finding;
}

Finding CheckCpus(const PreflightInput& input) {
  Finding finding{.subject = "cpus"};
  const absl::StatusOr<CpuList> cpus = AllowedCpus();
  if (!cpus.ok()) {
    finding.level = FindingLevel::kFail;
    finding.text = std::string(cpus.status().message());
    finding.fix = absl::StrCat("taskset -pc ", getpid());
    return finding;
  }
  const std::string folder = input.sys_root + "/devices/system/cpu";
  if (access(folder.c_str(), X_OK) != 0) {
    finding.level = FindingLevel::kFail;
    finding.text =
        absl::StrCat("DPDK looks for them in ", folder, ", which is not there");
    finding.fix = absl::StrCat("sudo mount -t sysfs sysfs ", input.sys_root);
    return finding;
  }
  finding.text =
      absl::StrCat(cpus->size(), " allowed (", FormatCpuList(*cpus), ")");
  if (cpus->size() == 1) finding.text += ", shared by control and worker";
  return finding;
}

// What the plan's pages need besides themselves: free memory.
Finding CheckOrdinaryPages(const PreflightInput& input,
                           const MemoryPlan& plan) {
  Finding finding{.subject = "memory", .text = plan.reason};
  const uint64_t available = ParseMeminfoBytes(
      ReadTextFile(input.proc_root + "/meminfo"), "MemAvailable");
  if (available < input.memory_need) {
    finding.level = FindingLevel::kFail;
    absl::StrAppend(&finding.text, "; only ", available >> 20,
                    " MiB are available");
    finding.fix = "ps -eo rss,pid,comm --sort=-rss | head";
    return finding;
  }
  const uint64_t limit = ReadMemoryLimit(input.proc_root, input.sys_root);
  if (limit < input.memory_need) {
    finding.level = FindingLevel::kFail;
    absl::StrAppend(&finding.text, "; the control group allows ", limit >> 20,
                    " MiB of the ", input.memory_need >> 20, " MiB needed");
    finding.fix = absl::StrCat(
        "systemctl set-property UNIT MemoryMax=", (input.memory_need >> 19),
        "M, docker update --memory ", (input.memory_need >> 19),
        "m CONTAINER, or fewer workers and max_clients");
  }
  return finding;
}

Finding CheckMemory(const PreflightInput& input) {
  const absl::StatusOr<CpuList> cpus = AllowedCpus();
  const int node =
      cpus.ok() ? NumaNodeOfCpu(input.sys_root, cpus->front()) : -1;
  const auto pools = ReadHugepagePools(input.sys_root, node);
  const auto plan = PlanMemory(input.memory, input.memory_need, pools);
  if (plan.ok() && !plan->use_hugepages) {
    return CheckOrdinaryPages(input, *plan);
  }
  if (plan.ok()) return {.subject = "memory", .text = plan->reason};
  // The message ends with the fix, which has a line of its own here.
  const std::string message(plan.status().message());
  const std::string_view whole = message;
  constexpr std::string_view kFix = ". Fix: ";
  const size_t cut = whole.find(kFix);
  return {.level = FindingLevel::kFail,
          .subject = "memory",
          .text = std::string(whole.substr(0, cut)),
          .fix = absl::StrCat("sudo ", message.substr(cut + kFix.size()))};
}

// Kernels before 5.11 count BPF maps, and all count AF_XDP's buffers, against
// RLIMIT_MEMLOCK, unless CAP_IPC_LOCK is held.
Finding CheckLockedMemory(const PreflightInput& input) {
  Finding finding{.subject = "locked memory"};
  rlimit limit{};
  getrlimit(RLIMIT_MEMLOCK, &limit);
  if (limit.rlim_cur == RLIM_INFINITY ||
      Has(Capabilities(input), kCapIpcLock)) {
    finding.text = "no limit";
    return finding;
  }
  finding.text = absl::StrCat("limited to ", limit.rlim_cur >> 10, " KiB");
  if (limit.rlim_cur < input.memory_need && MayTakeXdp(input)) {
    finding.level = FindingLevel::kWarn;
    finding.text += ", too little for af_xdp";
    finding.fix = "ulimit -l unlimited";
  }
  return finding;
}

Finding CheckSocket(const PreflightInput& input, int family,
                    std::string_view name, bool is_required) {
  const std::string text(name);
  const ScopedFd fd(socket(family, SOCK_RAW | SOCK_CLOEXEC, 0));
  if (fd.get() >= 0) return {.subject = text, .text = "available"};
  const int error = errno;
  Finding finding{
      .level = is_required ? FindingLevel::kFail : FindingLevel::kWarn,
      .subject = text,
      .text = std::strerror(error)};
  if (error == EPERM || error == EACCES) {
    finding.fix = absl::StrCat("sudo ", input.program, " ...");
  } else if (family == AF_PACKET) {
    finding.fix = "sudo modprobe af_packet";
  } else {
    finding.text += "; this kernel has no AF_XDP (CONFIG_XDP_SOCKETS)";
    finding.fix = "-uplink af_packet";
  }
  return finding;
}

// Whether a driver of DPDK lies where EAL is going to look for it: beside
// librte_eal, or in the plugin folder below.
bool HasDriver(std::string_view library) {
  Dl_info info;
  if (dladdr(reinterpret_cast<const void*>(&rte_eal_init), &info) == 0) {
    return false;
  }
  const std::string eal = info.dli_fname;
  const std::string folder = eal.substr(0, eal.rfind('/'));
  const std::string file(library);
  for (const char* middle : {"/dpdk/pmds-*/", "/"}) {
    glob_t found{};
    const std::string pattern = folder + middle + file + ".so*";
    const bool is_there = glob(pattern.c_str(), 0, nullptr, &found) == 0;
    globfree(&found);
    if (is_there) return true;
  }
  return false;
}

Finding CheckDrivers(const PreflightInput& input) {
  std::vector<std::string> missing;
  for (const char* library :
       {"librte_net_tap", "librte_mempool_ring", "librte_net_af_xdp"}) {
    if (!HasDriver(library)) missing.emplace_back(library);
  }
  Finding finding{.subject = "dpdk drivers",
                  .text = "net_tap, net_af_xdp, mempool_ring"};
  if (missing.empty()) return finding;
  const bool is_only_xdp =
      missing.size() == 1 && missing.front() == "librte_net_af_xdp";
  finding.level = is_only_xdp && !WantsXdp(input) ? FindingLevel::kWarn
                                                  : FindingLevel::kFail;
  finding.text = absl::StrCat("not found: ", absl::StrJoin(missing, ", "));
  finding.fix =
      "sudo apt-get install librte-net-tap23 librte-net-af-xdp23 "
      "librte-mempool-ring23";
  return finding;
}

std::string_view ToString(FindingLevel level) {
  switch (level) {
    case FindingLevel::kOk:
      return "OK";
    case FindingLevel::kWarn:
      return "WARN";
    case FindingLevel::kFail:
      return "FAIL";
  }
  return "";
}

// Interfaces that traffic can leave by, and the others that are no loopback.
void SortOutLinks(std::span<const LinkState> links,
                  std::vector<std::string>& usable,
                  std::vector<std::string>& down) {
  for (const LinkState& link : links) {
    if (link.is_loopback) continue;
    (link.is_up && link.has_carrier ? usable : down).push_back(link.name);
  }
}

// It may come: of a veth or a NIC it does, a moment after the link is up.
Finding WithoutCarrier(const std::string& name) {
  return {.level = FindingLevel::kWarn,
          .subject = "uplink",
          .text = name + " is up but has no carrier: cable or other end",
          .fix = "ip -s link show dev " + name};
}

Finding CheckAutoUplink(std::span<const LinkState> links) {
  std::vector<std::string> usable;
  std::vector<std::string> down;
  SortOutLinks(links, usable, down);
  Finding finding{.subject = "uplink"};
  if (!usable.empty()) {
    finding.text = absl::StrCat("auto, one of: ", absl::StrJoin(usable, ", "));
    return finding;
  }
  for (const LinkState& link : links) {
    if (link.is_up && !link.is_loopback) return WithoutCarrier(link.name);
  }
  // A gateway waits for one.
  finding.level = FindingLevel::kWarn;
  finding.text = "no interface is up";
  if (down.empty()) {
    finding.text += ", and there is none beside the loopback";
    finding.fix = "ip link show";
  } else {
    finding.fix = absl::StrCat("sudo ip link set dev ", down.front(), " up");
  }
  return finding;
}

}  // namespace

Finding CheckUplink(std::string_view interface,
                    std::span<const LinkState> links) {
  if (interface.empty() || interface == "auto") return CheckAutoUplink(links);
  const std::string name(interface);
  const auto link = std::find_if(
      links.begin(), links.end(),
      [&](const LinkState& candidate) { return candidate.name == name; });
  Finding finding{.subject = "uplink", .text = name + " is up"};
  if (link == links.end()) {
    std::vector<std::string> usable;
    std::vector<std::string> down;
    SortOutLinks(links, usable, down);
    usable.insert(usable.end(), down.begin(), down.end());
    finding.level = FindingLevel::kWarn;
    finding.text =
        absl::StrCat("there is no interface ", name,
                     " yet; there is: ", absl::StrJoin(usable, ", "));
    finding.fix = "ip link show";
  } else if (!link->is_up) {
    finding.level = FindingLevel::kWarn;
    finding.text = name + " is down";
    finding.fix = absl::StrCat("sudo ip link set dev ", name, " up");
  } else if (!link->has_carrier) {
    return WithoutCarrier(name);
  }
  return finding;
}

std::vector<Finding> RunPreflight(const PreflightInput& input) {
  return {CheckPrivileges(input),
          CheckTunDevice(input),
          CheckCpuFeatures(input),
          CheckCpus(input),
          CheckMemory(input),
          CheckLockedMemory(input),
          CheckUplink(input.uplink_interface, ReadLinks()),
          CheckSocket(input, AF_PACKET, "af_packet", !WantsXdp(input)),
          CheckSocket(input, AF_XDP, "af_xdp", WantsXdp(input)),
          CheckDrivers(input)};
}

bool IsReady(std::span<const Finding> findings) {
  return std::none_of(findings.begin(), findings.end(),
                      [](const Finding& finding) {
                        return finding.level == FindingLevel::kFail;
                      });
}

std::string FormatPreflight(std::span<const Finding> findings) {
  size_t width = 0;
  for (const Finding& finding : findings) {
    width = std::max(width, finding.subject.size());
  }
  std::string table;
  const auto pad = [&table](std::string_view text, size_t columns) {
    table += text;
    table.append(columns - std::min(columns, text.size()), ' ');
  };
  for (const Finding& finding : findings) {
    pad(ToString(finding.level), 6);
    pad(finding.subject, width + 2);
    table += finding.text + "\n";
    if (finding.fix.empty()) continue;
    pad("", 6 + width + 2);
    table += "fix: " + finding.fix + "\n";
  }
  return table;
}

}  // namespace lwt
