#include "control/loop/background.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace lwt::loop {

absl::StatusOr<std::unique_ptr<Background>> Background::Create(
    EventLoop& loop) {
  const int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (event < 0) return absl::ErrnoToStatus(errno, "eventfd");
  std::unique_ptr<Background> made(new Background(loop, event));
  Background* self = made.get();
  absl::Status status =
      loop.Watch(event, EPOLLIN, [self](uint32_t) { self->OnDone(); });
  if (!status.ok()) return status;
  return made;
}

Background::~Background() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
  loop_.Forget(event_.get());
}

void Background::Run(std::function<void()> work, std::function<void()> done) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({std::move(work), std::move(done)});
  }
  if (!thread_.joinable()) thread_ = std::thread([this] { Work(); });
  wake_.notify_one();
}

void Background::Work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stop_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    Job job = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    job.work();
    lock.lock();
    over_.push_back(std::move(job.done));
    const uint64_t one = 1;
    while (write(event_.get(), &one, sizeof(one)) < 0 && errno == EINTR) {
    }
  }
}

void Background::OnDone() {
  uint64_t count = 0;
  if (read(event_.get(), &count, sizeof(count)) < 0) return;
  std::deque<std::function<void()>> over;
  {
    const std::lock_guard lock(mutex_);
    over.swap(over_);
  }
  for (const std::function<void()>& done : over) done();
}

}  // namespace lwt::loop
