// A gateway's place on the host: its folders and locks, and the journal of what
// the steps above change. First up and last down.
//
// Owned by Platform. Control thread.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "control/base/log.h"
#include "control/host/instance/instance.h"
#include "control/host/instance/journal.h"

namespace lwt::platform {

class HostPlace {
 public:
  // Undoes what a dead predecessor left. AlreadyExists, naming the process,
  // when the instance runs.
  static absl::StatusOr<std::unique_ptr<HostPlace>> Claim(
      const host::InstanceSpec& spec, const loop::Log& log);
  HostPlace(const HostPlace&) = delete;
  HostPlace& operator=(const HostPlace&) = delete;
  ~HostPlace();  // undoes what is still in the journal

  const host::InstancePaths& paths() const { return instance_.paths(); }
  int control_socket() const { return instance_.control_socket(); }
  host::Journal& journal() { return journal_; }
  // Undoes what was changed at one link, the newest change first.
  void UndoAt(int ifindex);

 private:
  HostPlace(host::Instance instance, host::Journal journal,
            const loop::Log& log);

  const loop::Log& log_;
  host::Instance instance_;
  host::Journal journal_;
};

}  // namespace lwt::platform
