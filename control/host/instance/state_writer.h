// Small files of the state directory, written off the control thread, which a
// slow disk would hold up.
//
// One thread of its own, started with the first file. Of several contents for
// one path the last counts. What cannot be written is tried again, after 1 s
// at first and 60 s at most, and said once, as is its success after that.
// Control thread, except for the one it owns.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "control/base/log.h"

namespace lwt::host {

class StateWriter {
 public:
  // `log` outlives the writer.
  explicit StateWriter(const loop::Log& log, std::chrono::milliseconds retry =
                                                 std::chrono::seconds(1));
  StateWriter(const StateWriter&) = delete;
  StateWriter& operator=(const StateWriter&) = delete;
  // Waits until everything is written, or has failed once more.
  ~StateWriter();

  // Gives the file at `path` this content: it is replaced whole, as by
  // ReplaceFile. Returns at once.
  void Put(const std::string& path, std::string content);
  // The same of a content that is put together on the writer's thread.
  void Put(const std::string& path, std::function<std::string()> content);

 private:
  class Thread;
  const loop::Log& log_;
  const std::chrono::milliseconds retry_;
  std::unique_ptr<Thread> thread_;
};

}  // namespace lwt::host
