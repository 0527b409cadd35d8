// What is given up stays so: each test gives it up in a child.
#include "control/service/confinement.h"

#include <errno.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>

namespace lwt::service {
namespace {

constexpr CapabilitySet kNetwork =
    CapabilitySet{1} << CAP_NET_ADMIN | CapabilitySet{1} << CAP_NET_RAW;

// The number of the first check that fails in a child; 0 when none does.
template <typename Checks>
int InChild(Checks checks) {
  const pid_t child = fork();
  if (child == 0) _exit(checks());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

uint64_t OfThread(pid_t thread, const std::string& field) {
  std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/status");
  for (std::string word; file >> word;) {
    if (word != field + ":") continue;
    file >> word;
    return std::stoull(word, nullptr, 16);
  }
  return ~uint64_t{0};
}

// A thread that began before, and waits.
class Waiting {
 public:
  Waiting()
      : thread_([this] {
          id_ = gettid();
          id_.notify_one();
          end_.wait(false);
        }) {
    id_.wait(0);
  }
  ~Waiting() {
    end_ = true;
    end_.notify_one();
    thread_.join();
  }
  pid_t id() const { return id_; }

 private:
  std::atomic<pid_t> id_ = 0;
  std::atomic<bool> end_ = false;
  std::thread thread_;
};

class ConfinementTest : public testing::Test {
 protected:
  void SetUp() override {
    if (NamesOfHeld(kNetwork) != "CAP_NET_ADMIN, CAP_NET_RAW") {
      GTEST_SKIP() << "needs CAP_NET_ADMIN and CAP_NET_RAW";
    }
  }
};

TEST(NeedsTest, AreTwoAndThoseOfWhatWasChosen) {
  EXPECT_EQ(CapabilitiesFor({}), kNetwork);
  EXPECT_EQ(CapabilitiesFor({.af_xdp = true}),
            kNetwork | CapabilitySet{1} << CAP_BPF |
                CapabilitySet{1} << CAP_IPC_LOCK);
  EXPECT_EQ(CapabilitiesFor({.port_below_1024 = true}),
            kNetwork | CapabilitySet{1} << CAP_NET_BIND_SERVICE);
}

TEST_F(ConfinementTest, CapabilitiesGoInAllThreads) {
  EXPECT_EQ(
      InChild([] {
        Waiting before;
        if (!DropCapabilities(kNetwork).ok()) return 1;
        for (const pid_t thread : {getpid(), before.id()}) {
          if (OfThread(thread, "CapPrm") != kNetwork) return 2;
          if (OfThread(thread, "CapEff") != kNetwork) return 3;
        }
        Waiting after;
        if (OfThread(after.id(), "CapPrm") != kNetwork) return 4;
        if (NamesOfHeld(~CapabilitySet{0}) != "CAP_NET_ADMIN, CAP_NET_RAW") {
          return 5;
        }
        return 0;
      }),
      0);
}

TEST_F(ConfinementTest, NeverMoreThanThereWere) {
  EXPECT_EQ(InChild([] {
              if (!DropCapabilities(CapabilitySet{1} << CAP_NET_RAW).ok()) {
                return 1;
              }
              if (!DropCapabilities(kNetwork).ok()) return 2;
              return OfThread(getpid(), "CapPrm") == CapabilitySet{1}
                                                         << CAP_NET_RAW
                         ? 0
                         : 3;
            }),
            0);
}

TEST_F(ConfinementTest, MemoryIsNotDumped) {
  EXPECT_EQ(InChild([] {
              HideMemory();
              return prctl(PR_GET_DUMPABLE);
            }),
            0);
}

#ifndef NDEBUG
// A release would end.
TEST_F(ConfinementTest, ForbiddenCallsFailInAllThreadsAndAreTold) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  EXPECT_EQ(InChild([&] {
              Waiting before;
              dup2(ends[1], 2);
              if (!ForbidSystemCalls({}).ok()) return 1;
              if (OfThread(before.id(), "Seccomp") != 2) return 2;
              if (OfThread(before.id(), "NoNewPrivs") != 1) return 3;
              if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != -1) return 4;
              if (errno != EPERM) return 5;
              if (socket(AF_VSOCK, SOCK_STREAM, 0) != -1) return 6;
              if (fork() != -1) return 7;
              if (socket(AF_XDP, SOCK_RAW, 0) != -1) return 10;
              // What it needs goes on.
              const int fd = socket(AF_PACKET, SOCK_RAW, 0);
              if (fd < 0) return 8;
              Waiting after;
              return after.id() > 0 ? 0 : 9;
            }),
            0);
  close(ends[1]);
  std::string said;
  char text[256];
  for (ssize_t size; (size = read(ends[0], text, sizeof(text))) > 0;) {
    said.append(text, static_cast<size_t>(size));
  }
  close(ends[0]);
  EXPECT_TRUE(said.starts_with("error forbidden system call 101\n")) << said;
}
#endif

}  // namespace
}  // namespace lwt::service
