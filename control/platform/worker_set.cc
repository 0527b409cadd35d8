#include "control/platform/worker_set.h"

#include <array>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "control/handshake/crypto.h"

namespace lwt::platform {
namespace {

void LogPlaces(const WorkerPlan& plan, uint32_t count, const loop::Log& log) {
  const std::string who =
      count == 1 ? "worker" : absl::StrCat(count, " workers");
  if (!plan.pinned) {
    log.Info(who, " on CPUs ", FormatCpuList(plan.allowed),
             ", placed by the system");
    return;
  }
  CpuList cpus;
  for (uint32_t i = 0; i < count; ++i) {
    cpus.push_back(plan.CpusOf(i, count).front());
  }
  log.Info(who, " pinned to CPU ", FormatCpuList(cpus));
}

}  // namespace

absl::StatusOr<std::unique_ptr<WorkerSet>> WorkerSet::Start(
    const WorkerPlan& plan, const WorkerOptions& common, Uplink& uplink,
    std::span<const Inside> inside, const loop::Log& log) {
  const uint32_t count = uplink.port_count();
  if (count < plan.count()) {
    log.Warn(plan.count(), " workers are wanted, but ", uplink.info().device,
             " has ", count, count == 1 ? " queue" : " queues",
             "; running with ", count);
  }
  std::unique_ptr<WorkerSet> set(new WorkerSet(uplink));
  if (count > 1) {
    set->handoff_ = Handoff::Create("lwt", count);
    if (set->handoff_ == nullptr) {
      return absl::ResourceExhaustedError("no memory for the workers' rings");
    }
  }
  WorkerOptions options = common;
  options.handoff = set->handoff_.get();
  // Else a segment of no flow here may be another worker's.
  options.answers_strays = count == 1 || uplink.info().pins_flows;
  handshake::RandomBytes(options.flow_secret);
  std::string error;
  for (uint32_t i = 0; i < count; ++i) {
    options.index = {i};
    options.cpus = plan.CpusOf(i, count);
    options.uplink = &uplink.port(static_cast<uint16_t>(i));
    options.tunnel = inside[i].tunnel;
    options.lan = inside[i].lan;
    options.twin = inside[i].twin;
    std::unique_ptr<WorkerThread> worker = WorkerThread::Create(options, error);
    if (worker == nullptr) return absl::ResourceExhaustedError(error);
    set->workers_.push_back(std::move(worker));
  }
  for (auto& worker : set->workers_) {
    if (!worker->Start(error)) return absl::InternalError(error);
  }
  LogPlaces(plan, count, log);
  return set;
}

WorkerSet::~WorkerSet() {
  for (auto& worker : workers_) worker->Stop();
}

void WorkerSet::UnwatchAll(Uplink& uplink, size_t workers) {
  for (size_t i = 0; i < workers; ++i) {
    workers_[i]->Unwatch(uplink.port(static_cast<uint16_t>(i)));
  }
}

absl::Status WorkerSet::BeginSwap(Uplink& next) {
  if (before_ != nullptr) {
    return absl::UnavailableError("an uplink is being replaced already");
  }
  if (next.port_count() < workers_.size()) {
    return absl::FailedPreconditionError(absl::StrCat(
        next.info().device, " has ", next.port_count(), " queues for ",
        workers_.size(), " workers; set workers = ", next.port_count()));
  }
  std::string error;
  for (size_t i = 0; i < workers_.size(); ++i) {
    if (workers_[i]->Watch(next.port(static_cast<uint16_t>(i)), error)) {
      continue;
    }
    UnwatchAll(next, i);
    return absl::InternalError(error);
  }
  marks_.clear();
  for (size_t i = 0; i < workers_.size(); ++i) {
    Mailbox& mailbox = workers_[i]->mailbox();
    mailbox.Send(SwapUplinkCommand{{static_cast<uint32_t>(i)},
                                   &next.port(static_cast<uint16_t>(i))});
    marks_.push_back(mailbox.sent());
  }
  before_ = std::exchange(uplink_, &next);
  return absl::OkStatus();
}

bool WorkerSet::EndSwap() {
  if (before_ == nullptr) return true;
  for (size_t i = 0; i < workers_.size(); ++i) {
    workers_[i]->mailbox().Collect();
    if (workers_[i]->mailbox().carried_out() < marks_[i]) return false;
  }
  UnwatchAll(*before_, workers_.size());
  before_ = nullptr;
  return true;
}

}  // namespace lwt::platform
