#include "drivers/eal.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <fcntl.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <utility>

#include "drivers/cpu_set.h"
#include "drivers/scoped_fd.h"

namespace lwt {
namespace {

// What DPDK logs, cut into lines. Written by any thread of the process.
class LogCapture {
 public:
  // Makes the stream and gives it to DPDK, which uses it from its first word
  // on. The stream lives until the process ends: DPDK may log at any time.
  bool Install();
  // Gives the sink lines of `level` and graver.
  void SetSink(std::function<void(std::string_view)> sink, uint32_t level);
  // Forgets the complaints so far.
  void Clear();
  // The newest complaint.
  std::string last_message();
  // The newest few, the cause first, in one line.
  std::string messages();

 private:
  // The longest line that is kept whole.
  static constexpr size_t kMaxLine = 1024;
  static constexpr size_t kMaxMessages = 3;

  static ssize_t Write(void* cookie, const char* data, size_t size);
  void Append(std::string_view text, uint32_t level);
  void FinishLine(uint32_t level);

  std::mutex mutex_;
  std::string line_;                   // not yet ended; guarded by mutex_
  std::vector<std::string> messages_;  // newest last; guarded by mutex_
  std::function<void(std::string_view)> sink_;  // guarded by mutex_
  uint32_t sink_level_ = 0;                     // guarded by mutex_
};

bool LogCapture::Install() {
  const cookie_io_functions_t functions = {
      .read = nullptr, .write = &Write, .seek = nullptr, .close = nullptr};
  FILE* const stream = fopencookie(this, "w", functions);
  if (stream == nullptr) return false;
  return rte_openlog_stream(stream) == 0;
}

void LogCapture::SetSink(std::function<void(std::string_view)> sink,
                         uint32_t level) {
  const std::lock_guard<std::mutex> lock(mutex_);
  sink_ = std::move(sink);
  sink_level_ = level;
}

void LogCapture::Clear() {
  const std::lock_guard<std::mutex> lock(mutex_);
  messages_.clear();
}

std::string LogCapture::last_message() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return messages_.empty() ? std::string() : messages_.back();
}

std::string LogCapture::messages() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return absl::StrJoin(messages_, "; ");
}

ssize_t LogCapture::Write(void* cookie, const char* data, size_t size) {
  // -1 when the text does not come by DPDK's log, which nothing does.
  const int level = std::max(0, rte_log_cur_msg_loglevel());
  static_cast<LogCapture*>(cookie)->Append({data, size},
                                           static_cast<uint32_t>(level));
  return static_cast<ssize_t>(size);
}

void LogCapture::Append(std::string_view text, uint32_t level) {
  const std::lock_guard<std::mutex> lock(mutex_);
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view part = text.substr(0, end);
    line_ += part.substr(0, kMaxLine - std::min(kMaxLine, line_.size()));
    if (end == std::string_view::npos) return;
    FinishLine(level);
    text.remove_prefix(end + 1);
  }
}

void LogCapture::FinishLine(uint32_t level) {
  if (!line_.empty()) {
    if (level <= RTE_LOG_WARNING) {
      if (messages_.size() == kMaxMessages) messages_.erase(messages_.begin());
      messages_.push_back(line_);
    }
    if (sink_ && level <= sink_level_) sink_(line_);
  }
  line_.clear();
}

// Never destroyed, as the stream that writes to it never ends.
LogCapture& Log() {
  static LogCapture* const log = new LogCapture;
  return *log;
}

enum class State { kFresh, kRunning, kEnded };
State state = State::kFresh;

// EAL makes a folder for shared files even when it is told to share none, and
// never removes it. Within this scope it makes it in one of ours, and what it
// made goes at the end; gateways that start at the same time cannot disturb
// each other. Only for a time with one thread: it sets a variable of the
// environment.
class ScopedRuntimeFolder {
 public:
  explicit ScopedRuntimeFolder(const std::string& given) : folder_(given) {
    const char* const value = std::getenv(kVariable);
    if (value != nullptr) saved_ = value;
    if (!given.empty()) {
      setenv(kVariable, given.c_str(), 1);
      return;
    }
    for (const char* parent : {"/run", "/tmp"}) {
      std::string folder = absl::StrCat(parent, "/lwt-XXXXXX");
      if (mkdtemp(folder.data()) == nullptr) continue;
      folder_ = folder;
      is_temporary_ = true;
      setenv(kVariable, folder_.c_str(), 1);
      return;
    }
  }
  ScopedRuntimeFolder(const ScopedRuntimeFolder&) = delete;
  ScopedRuntimeFolder& operator=(const ScopedRuntimeFolder&) = delete;
  ~ScopedRuntimeFolder() {
    if (folder_.empty()) return;
    rmdir(rte_eal_get_runtime_dir());
    rmdir(absl::StrCat(folder_, "/dpdk").c_str());
    if (is_temporary_) rmdir(folder_.c_str());
    if (saved_.has_value()) {
      setenv(kVariable, saved_->c_str(), 1);
    } else {
      unsetenv(kVariable);
    }
  }

 private:
  static constexpr const char* kVariable = "RUNTIME_DIRECTORY";

  std::string folder_;
  bool is_temporary_ = false;
  std::optional<std::string> saved_;
};

// Warnings are always taken down: the next error may be about them.
uint32_t DpdkLogLevel(const EalOptions& options) {
  return std::max(RTE_LOG_WARNING, static_cast<uint32_t>(options.log_level));
}

std::vector<std::string> BuildArguments(const EalOptions& options) {
  std::vector<std::string> arguments = {
      "lightweight-tunnel",
      // One lcore, whose CPU the control thread has; workers register.
      absl::StrCat("--lcores=0@", options.control_cpu),
      absl::StrCat("--file-prefix=lwt-", getpid()),
      "-m",
      absl::StrCat(options.memory.megabytes),
      "--no-telemetry",
      absl::StrCat("--log-level=*:", DpdkLogLevel(options)),
  };
  if (options.memory.use_hugepages) {
    arguments.push_back("--in-memory");
  } else {
    arguments.push_back("--no-huge");
    arguments.push_back("--no-shconf");
  }
  if (options.pci_devices.empty()) {
    arguments.push_back("--no-pci");
    arguments.push_back("--iova-mode=va");
  }
  for (const std::string& device : options.pci_devices) {
    arguments.push_back("-a");
    arguments.push_back(device);
  }
  return arguments;
}

// The TAP driver asks for a real-time signal a packet. Blocked ones pile up
// until the kernel sends SIGIO instead, whose default is to end the process.
void PrepareSignals() {
  sigset_t real_time;
  sigemptyset(&real_time);
  for (int number = SIGRTMIN; number <= SIGRTMAX; ++number) {
    sigaddset(&real_time, number);
  }
  pthread_sigmask(SIG_UNBLOCK, &real_time, nullptr);
  signal(SIGIO, SIG_IGN);
}

// EAL prints the reason of a fatal error past its own log, to standard error,
// and how to use it to standard output. The log has the one, and nobody who
// runs a gateway can use the other: what is printed within this scope goes
// nowhere.
class ScopedSilence {
 public:
  ScopedSilence() {
    fflush(stdout);
    fflush(stderr);
    const ScopedFd nowhere(open("/dev/null", O_WRONLY | O_CLOEXEC));
    if (nowhere.get() < 0) return;
    for (size_t i = 0; i < kStreams.size(); ++i) {
      if (saved_[i].get() >= 0) dup2(nowhere.get(), kStreams[i]);
    }
  }
  ScopedSilence(const ScopedSilence&) = delete;
  ScopedSilence& operator=(const ScopedSilence&) = delete;
  ~ScopedSilence() {
    fflush(stdout);
    fflush(stderr);
    for (size_t i = 0; i < kStreams.size(); ++i) {
      if (saved_[i].get() >= 0) dup2(saved_[i].get(), kStreams[i]);
    }
  }

 private:
  static constexpr std::array<int, 2> kStreams = {STDOUT_FILENO, STDERR_FILENO};
  static ScopedFd Saved(int stream) {
    return ScopedFd(fcntl(stream, F_DUPFD_CLOEXEC, 3));
  }

  const std::array<ScopedFd, 2> saved_ = {Saved(kStreams[0]),
                                          Saved(kStreams[1])};
};

int InitEal(std::vector<std::string> arguments,
            const std::string& runtime_folder) {
  const ScopedSilence silence;
  const ScopedRuntimeFolder folder(runtime_folder);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  return rte_eal_init(static_cast<int>(argv.size()) - 1, argv.data());
}

}  // namespace

absl::Status StartEal(const EalOptions& options) {
  if (state != State::kFresh) {
    return absl::FailedPreconditionError(
        "DPDK starts once in a process; restart the program");
  }
  const ScopedAffinity keep_affinity;
  // EAL keeps its own threads within the affinity it finds.
  const std::array<int, 1> control_cpu = {options.control_cpu};
  absl::Status status = SetThreadAffinity(control_cpu);
  if (!status.ok()) return status;
  if (!Log().Install()) {
    return absl::ResourceExhaustedError("no memory for DPDK's log");
  }
  Log().SetSink(options.log_sink, static_cast<uint32_t>(options.log_level));
  rte_log_set_global_level(DpdkLogLevel(options));
  PrepareSignals();
  const bool is_up =
      InitEal(BuildArguments(options), options.runtime_folder) >= 0;
  const int error = rte_errno;
  state = is_up ? State::kRunning : State::kEnded;
  if (is_up) {
    Log().Clear();
    return absl::OkStatus();
  }
  Log().SetSink(nullptr, 0);
  const std::string message = Log().messages();
  return absl::InternalError(
      absl::StrCat("DPDK did not start (", options.memory.reason,
                   "): ", message.empty() ? rte_strerror(error) : message));
}

void StopEal() {
  if (state != State::kRunning) return;
  state = State::kEnded;
  rte_eal_cleanup();
  Log().SetSink(nullptr, 0);
}

std::string LastEalMessage() { return Log().last_message(); }

}  // namespace lwt
