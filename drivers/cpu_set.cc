#include "drivers/cpu_set.h"

#include <absl/strings/str_cat.h>
#include <sched.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace lwt {
namespace {

struct FreeCpuMask {
  void operator()(cpu_set_t* mask) const { CPU_FREE(mask); }
};
using CpuMask = std::unique_ptr<cpu_set_t, FreeCpuMask>;

// More than any kernel is built for (NR_CPUS).
constexpr int kMaxCpus = 1 << 16;

}  // namespace

absl::StatusOr<CpuList> AllowedCpus() {
  // The kernel refuses a mask smaller than its own, whose size it tells
  // nobody; so the mask is doubled until it fits.
  for (int capacity = CPU_SETSIZE; capacity <= kMaxCpus; capacity *= 2) {
    const CpuMask mask(CPU_ALLOC(capacity));
    if (mask == nullptr) break;
    const size_t bytes = CPU_ALLOC_SIZE(capacity);
    if (sched_getaffinity(0, bytes, mask.get()) != 0) {
      if (errno == EINVAL) continue;
      break;
    }
    CpuList cpus;
    for (int cpu = 0; cpu < capacity; ++cpu) {
      if (CPU_ISSET_S(cpu, bytes, mask.get())) cpus.push_back(cpu);
    }
    return cpus;
  }
  return absl::InternalError(
      absl::StrCat("sched_getaffinity: ", std::strerror(errno)));
}

absl::StatusOr<CpuPlan> PlanCpus(std::span<const int> allowed,
                                 int worker_count) {
  if (allowed.empty()) {
    return absl::InvalidArgumentError("no CPU is allowed to this process");
  }
  if (worker_count < 1 || static_cast<size_t>(worker_count) > allowed.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        worker_count, " workers cannot run on the allowed CPUs (",
        FormatCpuList(allowed), "): 1 to ", allowed.size(),
        " can; allow more CPUs (taskset, cpuset) or ask for fewer workers"));
  }
  const bool is_shared = static_cast<size_t>(worker_count) == allowed.size();
  const auto workers = allowed.last(static_cast<size_t>(worker_count));
  return CpuPlan{.control = allowed.front(),
                 .workers = CpuList(workers.begin(), workers.end()),
                 .is_shared = is_shared};
}

absl::Status SetThreadAffinity(std::span<const int> cpus) {
  int capacity = CPU_SETSIZE;
  for (const int cpu : cpus) {
    if (cpu < 0 || cpu >= kMaxCpus) {
      return absl::InvalidArgumentError(absl::StrCat("no CPU ", cpu));
    }
    if (cpu >= capacity) capacity = cpu + 1;
  }
  const CpuMask mask(CPU_ALLOC(capacity));
  if (mask == nullptr) return absl::ResourceExhaustedError("no memory");
  const size_t bytes = CPU_ALLOC_SIZE(capacity);
  CPU_ZERO_S(bytes, mask.get());
  for (const int cpu : cpus) CPU_SET_S(cpu, bytes, mask.get());
  if (sched_setaffinity(0, bytes, mask.get()) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("cannot run on CPUs ",
                                                   FormatCpuList(cpus), ": ",
                                                   std::strerror(errno)));
  }
  return absl::OkStatus();
}

ScopedAffinity::ScopedAffinity() {
  absl::StatusOr<CpuList> cpus = AllowedCpus();
  if (cpus.ok()) saved_ = *std::move(cpus);
}

ScopedAffinity::~ScopedAffinity() {
  // Can fail only if the cpuset shrank meanwhile; then the kernel has chosen.
  if (!saved_.empty()) SetThreadAffinity(saved_).IgnoreError();
}

std::string FormatCpuList(std::span<const int> cpus) {
  if (cpus.empty()) return "none";
  std::string text;
  for (size_t i = 0; i < cpus.size();) {
    size_t last = i;
    while (last + 1 < cpus.size() && cpus[last + 1] == cpus[last] + 1) ++last;
    if (!text.empty()) text += ',';
    absl::StrAppend(&text, cpus[i]);
    if (last > i) absl::StrAppend(&text, "-", cpus[last]);
    i = last + 1;
  }
  return text;
}

}  // namespace lwt
