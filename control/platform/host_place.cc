#include "control/platform/host_place.h"

#include <utility>

#include "control/host/instance/undo.h"

namespace lwt::platform {

HostPlace::HostPlace(host::Instance instance, host::Journal journal,
                     const loop::Log& log)
    : log_(log), instance_(std::move(instance)), journal_(std::move(journal)) {}

HostPlace::~HostPlace() {
  for (const std::string& done : host::UndoStale(journal_)) log_.Debug(done);
}

absl::StatusOr<std::unique_ptr<HostPlace>> HostPlace::Claim(
    const host::InstanceSpec& spec, const loop::Log& log) {
  absl::StatusOr<host::Instance> instance = host::Instance::Claim(spec);
  if (!instance.ok()) return instance.status();
  absl::StatusOr<host::Journal> journal =
      host::Journal::Open(instance->paths().journal);
  if (!journal.ok()) return journal.status();
  std::unique_ptr<HostPlace> place(
      new HostPlace(*std::move(instance), *std::move(journal), log));
  for (const std::string& done : host::UndoStale(place->journal_)) {
    log.Info(done);
  }
  return place;
}

void HostPlace::UndoAt(int ifindex) {
  for (const std::string& done : host::UndoAt(journal_, ifindex)) {
    log_.Debug(done);
  }
}

}  // namespace lwt::platform
