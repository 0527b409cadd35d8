#include "control/platform/worker_plan.h"

#include <algorithm>
#include <utility>

namespace lwt::platform {

CpuList WorkerPlan::CpusOf(uint32_t index, uint32_t running) const {
  if (!pinned) return allowed;
  return {cpus.workers[cpus.workers.size() - running + index]};
}

// `auto`: control and a worker already fill two CPUs, and a client has one
// peer.
uint32_t WorkersWanted(const config::Config& config, size_t cpus) {
  constexpr size_t kMostAutomatic = 8;
  if (config.workers.count != 0) return config.workers.count;
  if (config.mode == config::Mode::kClient || cpus <= 2) return 1;
  return static_cast<uint32_t>(std::min(cpus - 1, kMostAutomatic));
}

// `auto`: on few CPUs the rest of the host needs the same ones, and a worker
// that cannot step aside waits for it, or for the worker of another gateway.
// One that never sleeps gets its own.
bool PinsWorkers(const config::Config& config, size_t cpus) {
  constexpr size_t kEnough = 4;
  if (config.workers.pinning != config::Pinning::kAuto) {
    return config.workers.pinning == config::Pinning::kOn;
  }
  return config.workers.idle == config::Idle::kBusy || cpus >= kEnough;
}

absl::StatusOr<WorkerPlan> PlanWorkers(const config::Config& config) {
  absl::StatusOr<CpuList> allowed = AllowedCpus();
  if (!allowed.ok()) return allowed.status();
  const uint32_t wanted = WorkersWanted(config, allowed->size());
  absl::StatusOr<CpuPlan> cpus = PlanCpus(*allowed, static_cast<int>(wanted));
  if (!cpus.ok()) return cpus.status();
  WorkerPlan plan;
  plan.pinned = PinsWorkers(config, allowed->size());
  plan.cpus = *std::move(cpus);
  plan.allowed = *std::move(allowed);
  return plan;
}

}  // namespace lwt::platform
