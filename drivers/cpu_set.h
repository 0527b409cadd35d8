// Which CPUs this process may use, and who runs on which.
//
// The control thread has a CPU of its own where there are more than workers;
// else it shares that of the first. All of this runs at start-up.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <span>
#include <string>
#include <vector>

namespace lwt {

// CPU numbers, ascending, without repeats.
using CpuList = std::vector<int>;

struct CpuPlan {
  int control = 0;
  CpuList workers;
  // The control thread and the first worker have one CPU between them.
  bool is_shared = false;
};

// The CPUs that the calling thread may run on: its affinity within its cpuset.
absl::StatusOr<CpuList> AllowedCpus();

// Gives the first CPU to control and the last ones to the workers. Fails when
// `worker_count` is zero, or more than there are CPUs. `allowed` is ascending
// and not empty.
absl::StatusOr<CpuPlan> PlanCpus(std::span<const int> allowed,
                                 int worker_count);

// Confines the calling thread, and threads it makes later, to `cpus`.
absl::Status SetThreadAffinity(std::span<const int> cpus);

// Restores, at the end of its scope, the affinity that the calling thread had
// at the beginning. Stays on one thread.
class ScopedAffinity {
 public:
  ScopedAffinity();
  ScopedAffinity(const ScopedAffinity&) = delete;
  ScopedAffinity& operator=(const ScopedAffinity&) = delete;
  ~ScopedAffinity();

 private:
  CpuList saved_;  // empty when it could not be read
};

// The kernel's list form: "0-3,6". "none" for no CPU.
std::string FormatCpuList(std::span<const int> cpus);

}  // namespace lwt
