#include "control/host/instance/state_writer.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "control/base/files.h"

namespace lwt::host {
namespace {

constexpr std::chrono::seconds kLongestRetry{60};

}  // namespace

class StateWriter::Thread {
 public:
  Thread(const loop::Log& log, std::chrono::milliseconds retry)
      : log_(log), retry_(retry), thread_([this] { Run(); }) {}
  ~Thread() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

  void Put(const std::string& path, std::function<std::string()> content) {
    {
      const std::lock_guard lock(mutex_);
      File& file = files_[path];
      file.content = std::move(content);
      file.pending = true;
    }
    wake_.notify_all();
  }

 private:
  using Clock = std::chrono::steady_clock;
  struct File {
    std::function<std::string()> content;
    bool pending = false;
    bool failing = false;  // at the last attempt
    std::chrono::milliseconds wait{};
    Clock::time_point not_before{};
  };

  void Run();
  std::map<std::string, File>::iterator NextDue();
  void Write(std::unique_lock<std::mutex>& lock, const std::string& path);
  void Note(File& file, const std::string& path, const absl::Status& status);

  const loop::Log& log_;
  const std::chrono::milliseconds retry_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::map<std::string, File> files_;  // by path; none is ever removed
  std::thread thread_;                 // last: it uses the others
};

// The pending file whose turn is next, due or not; end() when there is none.
std::map<std::string, StateWriter::Thread::File>::iterator
StateWriter::Thread::NextDue() {
  auto next = files_.end();
  for (auto file = files_.begin(); file != files_.end(); ++file) {
    if (!file->second.pending) continue;
    if (next == files_.end() ||
        file->second.not_before < next->second.not_before) {
      next = file;
    }
  }
  return next;
}

void StateWriter::Thread::Run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    const auto next = NextDue();
    if (next == files_.end()) {
      wake_.wait(lock);
    } else if (next->second.not_before > Clock::now()) {
      // A copy: the file may be given a new time meanwhile.
      const Clock::time_point until = next->second.not_before;
      wake_.wait_until(lock, until);
    } else {
      Write(lock, next->first);
    }
  }
  for (auto& [path, file] : files_) {
    if (file.pending) Write(lock, path);
  }
}

void StateWriter::Thread::Write(std::unique_lock<std::mutex>& lock,
                                const std::string& path) {
  File& file = files_[path];
  const std::function<std::string()> content = file.content;
  file.pending = false;
  lock.unlock();
  const absl::Status status = ReplaceFile(path, content());
  lock.lock();
  Note(file, path, status);
}

void StateWriter::Thread::Note(File& file, const std::string& path,
                               const absl::Status& status) {
  if (status.ok()) {
    if (file.failing) log_.Info(path, " is written again");
    file.failing = false;
    file.not_before = {};
    return;
  }
  if (!file.failing) log_.Warn(status.message(), "; it is tried again");
  file.wait = file.failing ? std::min<std::chrono::milliseconds>(file.wait * 2,
                                                                 kLongestRetry)
                           : retry_;
  file.failing = true;
  file.pending = true;
  file.not_before = Clock::now() + file.wait;
}

StateWriter::StateWriter(const loop::Log& log, std::chrono::milliseconds retry)
    : log_(log), retry_(retry) {}

StateWriter::~StateWriter() = default;

void StateWriter::Put(const std::string& path, std::string content) {
  Put(path, [content = std::move(content)] { return content; });
}

void StateWriter::Put(const std::string& path,
                      std::function<std::string()> content) {
  if (thread_ == nullptr) thread_ = std::make_unique<Thread>(log_, retry_);
  thread_->Put(path, std::move(content));
}

}  // namespace lwt::host
