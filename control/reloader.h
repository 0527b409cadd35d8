// Reads the settings again while the gateway runs, and has its components take
// them: all that are good, or none.
//
// File and flags are read, and the key is stretched, on a thread of its own,
// one reading at a time; the rest is the control thread's. Owned by the
// gateway.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "control/base/log.h"
#include "control/config/command_line.h"
#include "control/config/config.h"
#include "control/config/load.h"
#include "control/handshake/key_ring.h"
#include "control/key_keeper.h"
#include "control/loop/background.h"
#include "control/loop/components.h"
#include "control/loop/event_loop.h"
#include "control/rotation/key_store.h"
#include "drivers/scoped_fd.h"

namespace lwt {

class Reloader {
 public:
  struct Context {
    const config::CommandLine& command_line;  // of the start
    config::Config& config;                   // in force
    loop::Components& components;
    KeyKeeper& keys;
    loop::EventLoop& loop;
    loop::Log& log;
    loop::Background& background;
    std::shared_ptr<rotation::KeySource> key_source;
    // Around each reading and what comes of it.
    std::function<void()> on_begin;
    std::function<void()> on_end;
  };
  // What waits for what, as lines, or why all stays as it was.
  using Done = std::function<void(const absl::StatusOr<std::string>&)>;

  // All of `context` outlives it.
  static absl::StatusOr<std::unique_ptr<Reloader>> Create(
      const Context& context);
  Reloader(const Reloader&) = delete;
  Reloader& operator=(const Reloader&) = delete;
  ~Reloader();  // waits for the thread

  // Begins, or does so once the reading under way is over: what was written
  // before the call counts. The log tells how it ends, and `done`, which may be
  // empty.
  void Begin(Done done);

 private:
  Reloader(const Context& context, int read_event)
      : context_(context),
        started_(context.config),
        state_dir_(context.key_source->state_dir),
        read_event_(read_event) {}

  // What was read, and what is derived from its key, where it has one.
  struct Reading {
    config::LoadedConfig loaded;
    std::optional<SecretKey> psk;
    rotation::KeySource source;  // of it
  };

  void StartReading();
  absl::StatusOr<Reading> Read() const;
  void OnRead();
  absl::StatusOr<std::string> Take(absl::StatusOr<Reading> read);

  const Context context_;
  const config::Config started_;
  const std::string state_dir_;
  const ScopedFd read_event_;
  std::thread thread_;
  // The thread's until it has raised the event.
  absl::StatusOr<Reading> read_;
  bool reading_ = false;
  bool again_ = false;
  std::vector<Done> asked_;    // for the reading under way
  std::vector<Done> waiting_;  // for the next one
};

}  // namespace lwt
