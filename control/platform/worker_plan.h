// How many workers a gateway has and on which CPUs. Control thread, at start.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "control/config/config.h"
#include "drivers/cpu_set.h"

namespace lwt::platform {

struct WorkerPlan {
  CpuList allowed;  // of this process
  CpuPlan cpus;     // with as many workers as are wanted
  bool pinned = false;

  uint32_t count() const { return static_cast<uint32_t>(cpus.workers.size()); }
  // Where worker `index` of `running` may run: with fewer than were planned,
  // those CPUs that control is not on.
  CpuList CpusOf(uint32_t index, uint32_t running) const;
};

// How many workers the settings ask for where so many CPUs are allowed.
uint32_t WorkersWanted(const config::Config& config, size_t cpus);
// Whether each keeps to a CPU of its own.
bool PinsWorkers(const config::Config& config, size_t cpus);

// For the CPUs that the calling thread may run on.
absl::StatusOr<WorkerPlan> PlanWorkers(const config::Config& config);

}  // namespace lwt::platform
