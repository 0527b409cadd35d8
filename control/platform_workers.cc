// Platform: how many workers, on which CPUs, with what.
#include <algorithm>
#include <string>
#include <utility>

#include "control/handshake/crypto.h"
#include "control/peer/hub_sessions.h"
#include "control/platform.h"

namespace lwt {

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

absl::Status Platform::PlanWorkers() {
  absl::StatusOr<CpuList> allowed = AllowedCpus();
  if (!allowed.ok()) return allowed.status();
  const uint32_t wanted = WorkersWanted(config_, allowed->size());
  absl::StatusOr<CpuPlan> cpus = PlanCpus(*allowed, static_cast<int>(wanted));
  if (!cpus.ok()) return cpus.status();
  cpus_ = *std::move(cpus);
  allowed_cpus_ = *std::move(allowed);
  return absl::OkStatus();
}

uint32_t Platform::MaxLanes() const {
  return config_.mode == config::Mode::kServer
             ? peer::HubSessions::LanesFor(config_.hub.max_clients)
             : kClientLanes;
}

WorkerOptions Platform::OptionsOf(uint32_t worker) const {
  WorkerOptions options;
  options.index = worker;
  options.cpus = allowed_cpus_;
  if (PinsWorkers(config_, allowed_cpus_.size())) {
    // With fewer than were wanted, those that control is not on.
    options.cpus = {
        cpus_.workers[cpus_.workers.size() - uplink_->port_count() + worker]};
  }
  options.uplink = &uplink_->port(static_cast<uint16_t>(worker));
  options.tunnel = tunnel_[worker].get();
  if (lan_ != nullptr) {
    options.lan = lan_->port(static_cast<uint16_t>(worker));
    options.twin = lan_->twin();
  }
  options.handoff = handoff_.get();
  options.pool = small_pool_->get();
  options.max_lanes = MaxLanes();
  options.arena_bytes = config_.arena_bytes();
  options.retransmit = config_.workers.retransmit;
  options.fec = config_.fec.Settings();
  options.fec_flush_us = config_.fec.flush_us;
  options.idle = config_.workers.idle == config::Idle::kBusy
                     ? IdleMode::kBusy
                     : IdleMode::kAdaptive;
  options.rekey_records = config_.rekey.records;
  options.persona = persona_;
  // Packet sockets share the flows by their ports; a NIC may be told anew.
  options.answers_strays =
      uplink_->port_count() == 1 || uplink_->info().driver == "af_packet";
  return options;
}

// One for each port that the uplink gave.
absl::Status Platform::StartWorkers() {
  const uint32_t count = uplink_->port_count();
  if (count < cpus_.workers.size()) {
    log_.Warn(cpus_.workers.size(), " workers are wanted, but ",
              choice_.link.name, " has ", count,
              count == 1 ? " queue" : " queues", "; running with ", count);
  }
  if (count > 1) {
    handoff_ = Handoff::Create("lwt", count);
    if (handoff_ == nullptr) {
      return absl::ResourceExhaustedError("no memory for the workers' rings");
    }
  }
  persona_ = host::PersonaOf(config_.uplink.persona, host::KernelRelease());
  log_.Info("persona: ", host::NameOf(persona_),
            config_.uplink.persona == config::PersonaChoice::kAuto
                ? ", as the running kernel"
                : ", as asked");
  std::array<uint8_t, 32> flow_secret;
  handshake::RandomBytes(flow_secret);
  std::string error;
  CpuList cpus;
  for (uint32_t i = 0; i < count; ++i) {
    WorkerOptions options = OptionsOf(i);
    options.flow_secret = flow_secret;
    std::unique_ptr<WorkerThread> worker = WorkerThread::Create(options, error);
    if (worker == nullptr) return absl::ResourceExhaustedError(error);
    workers_.push_back(std::move(worker));
    cpus.push_back(options.cpus.front());
  }
  for (auto& worker : workers_) {
    if (!worker->Start(error)) return absl::InternalError(error);
  }
  const std::string who =
      count == 1 ? "worker" : std::to_string(count) + " workers";
  if (PinsWorkers(config_, allowed_cpus_.size())) {
    log_.Info(who, " pinned to CPU ", FormatCpuList(cpus));
  } else {
    log_.Info(who, " on CPUs ", FormatCpuList(allowed_cpus_),
              ", placed by the system");
  }
  return absl::OkStatus();
}

}  // namespace lwt
