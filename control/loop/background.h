// Work that may wait for a disk, off the control thread: one job after another
// on a thread of its own, which the first starts.
//
// Control thread, except for the work.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "absl/status/statusor.h"
#include "control/loop/event_loop.h"
#include "drivers/scoped_fd.h"

namespace lwt::loop {

class Background {
 public:
  // `loop` outlives it.
  static absl::StatusOr<std::unique_ptr<Background>> Create(EventLoop& loop);
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;
  // Waits for all work that was given; of none `done` is called any more.
  ~Background();

  // Runs `work` on the thread, then `done` in a turn of the loop.
  void Run(std::function<void()> work, std::function<void()> done);

 private:
  struct Job {
    std::function<void()> work;
    std::function<void()> done;
  };

  Background(EventLoop& loop, int event) : loop_(loop), event_(event) {}
  void Work();
  void OnDone();

  EventLoop& loop_;
  const ScopedFd event_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> waiting_;
  std::deque<std::function<void()>> over_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace lwt::loop
