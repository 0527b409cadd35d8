#include "drivers/eal.h"

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <rte_eal.h>
#include <rte_log.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>

#include "drivers/cpu_set.h"
#include "drivers/text_file.h"
#include "tests/unit/drivers/child_process.h"

namespace lwt {
namespace {

EalOptions Options() {
  EalOptions options;
  options.memory = *PlanMemory(MemoryMode::kNoHuge, 16 << 20, {});
  options.control_cpu = AllowedCpus()->front();
  return options;
}

std::vector<std::string> Names(const std::string& folder) {
  std::vector<std::string> names;
  DIR* const directory = opendir(folder.c_str());
  if (directory == nullptr) return names;
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  closedir(directory);
  return names;
}

// What the process writes to its two outputs from now on.
class OutputCapture {
 public:
  OutputCapture() : file_(memfd_create("output", 0)) {
    dup2(file_, STDOUT_FILENO);
    dup2(file_, STDERR_FILENO);
  }
  off_t size() const {
    fflush(nullptr);
    return lseek(file_, 0, SEEK_END);
  }

 private:
  const int file_;
};

TEST(EalTest, StartsAndStopsWithoutAWord) {
  EXPECT_EQ(RunInChild([]() -> std::string {
              const OutputCapture output;
              std::atomic<int> lines{0};
              EalOptions options = Options();
              options.log_level = EalLogLevel::kDebug;
              options.log_sink = [&lines](std::string_view line) {
                if (line.find('\n') == std::string_view::npos) ++lines;
              };
              const absl::Status status = StartEal(options);
              if (!status.ok()) return status.ToString();
              LWT_CHILD_EXPECT(lines > 10);
              StopEal();
              LWT_CHILD_EXPECT(output.size() == 0);
              return "";
            }),
            "");
}

TEST(EalTest, SaysLittleUnlessAsked) {
  EXPECT_EQ(RunInChild([]() -> std::string {
              std::string said;
              EalOptions options = Options();
              options.log_sink = [&said](std::string_view line) {
                said += line;
              };
              LWT_CHILD_EXPECT(StartEal(options).ok());
              rte_log(RTE_LOG_WARNING, RTE_LOGTYPE_USER1, "kept\n");
              LWT_CHILD_EXPECT(LastEalMessage() == "kept");
              LWT_CHILD_EXPECT(said.empty());
              rte_log(RTE_LOG_ERR, RTE_LOGTYPE_USER1, "told\n");
              LWT_CHILD_EXPECT(said == "told");
              return "";
            }),
            "");
}

TEST(EalTest, RestoresTheCallerAndConfinesItsOwnThreads) {
  EXPECT_EQ(RunInChild([]() -> std::string {
              const CpuList before = *AllowedCpus();
              EalOptions options = Options();
              options.control_cpu = before.back();
              LWT_CHILD_EXPECT(StartEal(options).ok());
              LWT_CHILD_EXPECT(*AllowedCpus() == before);
              const std::vector<std::string> threads = Names("/proc/self/task");
              LWT_CHILD_EXPECT(threads.size() > 1);
              for (const std::string& thread : threads) {
                if (thread == std::to_string(getpid())) continue;
                const std::string status =
                    ReadTextFile("/proc/self/task/" + thread + "/status");
                LWT_CHILD_EXPECT(FindField(status, "Cpus_allowed_list") ==
                                 std::to_string(options.control_cpu));
              }
              return "";
            }),
            "");
}

TEST(EalTest, LeavesNoFileEvenWhileItRuns) {
  EXPECT_EQ(RunInChild([]() -> std::string {
              LWT_CHILD_EXPECT(StartEal(Options()).ok());
              const std::string used = rte_eal_get_runtime_dir();
              LWT_CHILD_EXPECT(
                  used.ends_with("/dpdk/lwt-" + std::to_string(getpid())));
              LWT_CHILD_EXPECT(used.starts_with("/run/lwt-") ||
                               used.starts_with("/tmp/lwt-"));
              // Not the folder, nor ours two levels above it.
              const std::string base = used.substr(0, used.rfind("/dpdk/"));
              LWT_CHILD_EXPECT(access(base.c_str(), F_OK) != 0);
              return "";
            }),
            "");
}

TEST(EalTest, LeavesTheEnvironmentAsItWas) {
  EXPECT_EQ(RunInChild([]() -> std::string {
              setenv("RUNTIME_DIRECTORY", "/run/of-the-service", 1);
              LWT_CHILD_EXPECT(StartEal(Options()).ok());
              LWT_CHILD_EXPECT(std::string(getenv("RUNTIME_DIRECTORY")) ==
                               "/run/of-the-service");
              return "";
            }) + RunInChild([]() -> std::string {
              unsetenv("RUNTIME_DIRECTORY");
              LWT_CHILD_EXPECT(StartEal(Options()).ok());
              LWT_CHILD_EXPECT(getenv("RUNTIME_DIRECTORY") == nullptr);
              return "";
            }),
            "");
}

TEST(EalTest, StartsOnce) {
  EXPECT_EQ(RunInChild([]() -> std::string {
              StopEal();  // nothing to stop yet
              LWT_CHILD_EXPECT(StartEal(Options()).ok());
              LWT_CHILD_EXPECT(absl::IsFailedPrecondition(StartEal(Options())));
              StopEal();
              StopEal();
              LWT_CHILD_EXPECT(absl::IsFailedPrecondition(StartEal(Options())));
              return "";
            }),
            "");
}

TEST(EalTest, AFailureIsOneSentence) {
  EXPECT_EQ(RunInChild([]() -> std::string {
              const OutputCapture output;
              EalOptions options = Options();
              // More than any address space holds.
              options.memory.megabytes = 1u << 30;
              const absl::Status status = StartEal(options);
              LWT_CHILD_EXPECT(!status.ok());
              const std::string message(status.message());
              LWT_CHILD_EXPECT(message.starts_with("DPDK did not start ("));
              LWT_CHILD_EXPECT(message.find("): EAL: ") != std::string::npos);
              LWT_CHILD_EXPECT(message.ends_with("; EAL: Cannot init memory"));
              LWT_CHILD_EXPECT(message.find('\n') == std::string::npos);
              LWT_CHILD_EXPECT(output.size() == 0);
              LWT_CHILD_EXPECT(access(rte_eal_get_runtime_dir(), F_OK) != 0);
              LWT_CHILD_EXPECT(absl::IsFailedPrecondition(StartEal(Options())));
              return "";
            }),
            "");
}

TEST(EalTest, RefusesACpuThatIsNotAllowed) {
  EXPECT_EQ(RunInChild([]() -> std::string {
              EalOptions options = Options();
              options.control_cpu = 60000;
              LWT_CHILD_EXPECT(absl::IsInvalidArgument(StartEal(options)));
              return "";
            }),
            "");
}

TEST(EalTest, RealTimeSignalsComeThroughAndSigioHurtsNobody) {
  EXPECT_EQ(RunInChild([]() -> std::string {
              sigset_t all;
              sigfillset(&all);
              sigprocmask(SIG_BLOCK, &all, nullptr);
              LWT_CHILD_EXPECT(StartEal(Options()).ok());
              sigset_t blocked;
              pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
              for (int n = SIGRTMIN; n <= SIGRTMAX; ++n) {
                LWT_CHILD_EXPECT(sigismember(&blocked, n) == 0);
              }
              LWT_CHILD_EXPECT(sigismember(&blocked, SIGTERM) == 1);
              pthread_sigmask(SIG_UNBLOCK, &all, nullptr);
              raise(SIGIO);  // would end the process
              return "";
            }),
            "");
}

TEST(EalTest, RemembersTheLastComplaint) {
  EXPECT_EQ(RunInChild([]() -> std::string {
              LWT_CHILD_EXPECT(StartEal(Options()).ok());
              rte_log(RTE_LOG_ERR, RTE_LOGTYPE_USER1, "first\n");
              rte_log(RTE_LOG_WARNING, RTE_LOGTYPE_USER1, "in two ");
              rte_log(RTE_LOG_WARNING, RTE_LOGTYPE_USER1, "parts\n\n");
              rte_log(RTE_LOG_NOTICE, RTE_LOGTYPE_USER1, "no complaint\n");
              LWT_CHILD_EXPECT(LastEalMessage() == "in two parts");
              const std::string endless(5000, 'x');
              rte_log(RTE_LOG_ERR, RTE_LOGTYPE_USER1, "%s\n", endless.c_str());
              LWT_CHILD_EXPECT(LastEalMessage() == std::string(1024, 'x'));
              return "";
            }),
            "");
}

TEST(EalTest, TwoProcessesRunAtOnce) {
  EXPECT_EQ(RunInChild([]() -> std::string {
              // The inner one starts while this one runs; it forks before
              // EAL is up here and waits for the word.
              int go[2];
              LWT_CHILD_EXPECT(pipe(go) == 0);
              const pid_t other = fork();
              if (other == 0) {
                char word = 0;
                close(go[1]);
                const bool is_told = read(go[0], &word, 1) == 1;
                _exit(is_told && StartEal(Options()).ok() ? 0 : 1);
              }
              LWT_CHILD_EXPECT(StartEal(Options()).ok());
              LWT_CHILD_EXPECT(write(go[1], "g", 1) == 1);
              int status = -1;
              LWT_CHILD_EXPECT(waitpid(other, &status, 0) == other);
              LWT_CHILD_EXPECT(status == 0);
              return "";
            }),
            "");
}

}  // namespace
}  // namespace lwt
