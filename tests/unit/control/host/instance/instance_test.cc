#include "control/host/instance/instance.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include "control/base/files.h"
#include "control/host/instance/journal.h"
#include "tests/unit/control/host/scratch_dir.h"

namespace lwt::host {
namespace {

class InstanceTest : public testing::Test {
 protected:
  InstanceTest() {
    spec_.mode = "server";
    spec_.tunnel_address = ParseIpAddress("10.0.0.1").value();
    spec_.state_root = scratch_.path() + "/state";
    spec_.run_root = scratch_.path() + "/run";
  }
  static bool Exists(const std::string& path) {
    return std::filesystem::exists(std::filesystem::symlink_status(path));
  }
  // Another gateway's settings, with the same control socket.
  InstanceSpec Another() const {
    InstanceSpec another = spec_;
    another.tunnel_address = ParseIpAddress("10.0.0.9").value();
    another.state_dir = scratch_.path() + "/another";
    return another;
  }
  // Claims in a process of its own, which is killed then.
  static void ClaimAndDie(const InstanceSpec& spec) {
    const pid_t child = fork();
    if (child == 0) {
      const auto instance = Instance::Claim(spec);
      if (!instance.ok()) _exit(1);
      raise(SIGKILL);
    }
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status));
  }
  static bool Answers(const std::string& path) {
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    const bool answers = connect(fd, reinterpret_cast<sockaddr*>(&address),
                                 sizeof(address)) == 0;
    close(fd);
    return answers;
  }

  const ScratchDir scratch_;
  InstanceSpec spec_;
};

// A service manager made it, takes it away, and owns what is above.
TEST_F(InstanceTest, AFolderThatWasGivenIsUsedAndStays) {
  spec_.run_dir = scratch_.path() + "/given";
  ASSERT_TRUE(MakeDirectory(spec_.run_dir).ok());
  const auto left = [&] {
    return std::distance(std::filesystem::directory_iterator(spec_.run_dir),
                         std::filesystem::directory_iterator());
  };
  {
    const auto instance = Instance::Claim(spec_);
    ASSERT_TRUE(instance.ok()) << instance.status();
    EXPECT_EQ(instance->paths().run_dir, spec_.run_dir);
    EXPECT_TRUE(Answers(spec_.run_dir + "/control.sock"));
    EXPECT_FALSE(Exists(spec_.run_root));
    EXPECT_FALSE(Exists(scratch_.path() + "/.starting"));
    EXPECT_TRUE(absl::IsAlreadyExists(Instance::Claim(spec_).status()));
  }
  EXPECT_EQ(left(), 0);
  // Nor does a start that fails take it away.
  std::filesystem::create_directory(spec_.run_dir + "/pid");
  EXPECT_FALSE(Instance::Claim(spec_).ok());
  std::filesystem::remove(spec_.run_dir + "/pid");
  EXPECT_EQ(left(), 0);
}

TEST(InstancePathsTest, DefaultsFollowModeAndAddress) {
  InstanceSpec spec;
  spec.mode = "client";
  spec.tunnel_address = ParseIpAddress("10.0.0.2").value();
  const InstancePaths paths = PathsOf(spec);
  EXPECT_EQ(paths.name, "client-10.0.0.2");
  EXPECT_EQ(paths.state_dir, "/var/lib/lightweight-tunnel/client-10.0.0.2");
  EXPECT_EQ(paths.run_dir, "/run/lightweight-tunnel/client-10.0.0.2");
  EXPECT_EQ(paths.control_socket,
            "/run/lightweight-tunnel/client-10.0.0.2/control.sock");
  EXPECT_EQ(paths.journal, "/run/lightweight-tunnel/client-10.0.0.2/journal");
}

// Where the hub leases the address, which may be another one next time.
TEST(InstancePathsTest, AHubNamesWhoHasNoAddressOfItsOwn) {
  InstanceSpec spec;
  spec.mode = "client";
  spec.hub = "[2001:db8::1]:9000";
  EXPECT_EQ(PathsOf(spec).name, "client-_2001_db8__1__9000");
  spec.hub = "vpn.example.com:9000";
  EXPECT_EQ(PathsOf(spec).state_dir,
            "/var/lib/lightweight-tunnel/client-vpn.example.com_9000");
}

TEST(InstancePathsTest, NamesAreSafe) {
  InstanceSpec spec;
  spec.mode = "../x";
  spec.tunnel_address = ParseIpAddress("fd00::1").value();
  EXPECT_EQ(PathsOf(spec).name, ".._x-fd00__1");
}

TEST(InstancePathsTest, AnExplicitSocketMakesAnotherInstance) {
  InstanceSpec spec;
  spec.mode = "server";
  spec.tunnel_address = ParseIpAddress("10.0.0.1").value();
  spec.control_socket = "/tmp/a.sock";
  spec.state_dir = "/tmp/state-a";
  const InstancePaths a = PathsOf(spec);
  spec.control_socket = "/tmp/b.sock";
  const InstancePaths b = PathsOf(spec);
  EXPECT_NE(a.run_dir, b.run_dir);
  EXPECT_EQ(a.control_socket, "/tmp/a.sock");
  EXPECT_EQ(a.state_dir, "/tmp/state-a");
  spec.control_socket = "relative.sock";
  EXPECT_EQ(PathsOf(spec).control_socket.front(), '/');
}

TEST_F(InstanceTest, DirectoriesArePrivateAndTheRunDirectoryGoes) {
  {
    const auto instance = Instance::Claim(spec_);
    ASSERT_TRUE(instance.ok()) << instance.status();
    for (const std::string& path :
         {instance->paths().run_dir, instance->paths().state_dir}) {
      struct stat status;
      ASSERT_EQ(stat(path.c_str(), &status), 0);
      EXPECT_EQ(status.st_mode & 0777u, 0700u);
    }
    EXPECT_EQ(*ReadFile(instance->paths().pid_file),
              std::to_string(getpid()) + "\n");
  }
  EXPECT_FALSE(Exists(spec_.run_root));
  EXPECT_TRUE(Exists(PathsOf(spec_).state_dir));
  EXPECT_TRUE(std::filesystem::is_empty(PathsOf(spec_).state_dir));
}

TEST_F(InstanceTest, ASecondStartIsRefusedNamingThePid) {
  const auto first = Instance::Claim(spec_);
  ASSERT_TRUE(first.ok());
  const auto second = Instance::Claim(spec_);
  ASSERT_TRUE(absl::IsAlreadyExists(second.status())) << second.status();
  const std::string message(second.status().message());
  EXPECT_NE(message.find("process " + std::to_string(getpid())),
            std::string::npos)
      << message;
  spec_.tunnel_address = ParseIpAddress("10.0.0.2").value();
  EXPECT_TRUE(Instance::Claim(spec_).ok());
}

TEST_F(InstanceTest, TwoNeverShareAStateDirectory) {
  const auto first = Instance::Claim(spec_);
  ASSERT_TRUE(first.ok());
  spec_.control_socket = scratch_.path() + "/other.sock";
  EXPECT_TRUE(absl::IsAlreadyExists(Instance::Claim(spec_).status()));
  EXPECT_FALSE(Exists(PathsOf(spec_).run_dir));
  spec_.state_dir = scratch_.path() + "/other-state";
  EXPECT_TRUE(Instance::Claim(spec_).ok());
}

TEST_F(InstanceTest, AKilledPredecessorIsReplacedAndItsSocketRemoved) {
  const InstancePaths paths = PathsOf(spec_);
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto instance = Instance::Claim(spec_);
    if (write(ready[1], instance.ok() ? "y" : "n", 1) != 1) _exit(1);
    pause();
    _exit(0);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  EXPECT_EQ(byte, 'y');
  const auto refused = Instance::Claim(spec_);
  EXPECT_NE(std::string(refused.status().message()).find(std::to_string(child)),
            std::string::npos);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(Exists(paths.control_socket));
  {
    const auto instance = Instance::Claim(spec_);
    ASSERT_TRUE(instance.ok()) << instance.status();
    EXPECT_TRUE(Answers(paths.control_socket));
  }
  EXPECT_FALSE(Exists(spec_.run_root));
  close(ready[0]);
  close(ready[1]);
}

TEST_F(InstanceTest, AnExplicitSocketIsLinkedAndRemoved) {
  spec_.control_socket = scratch_.path() + "/explicit.sock";
  {
    const auto instance = Instance::Claim(spec_);
    ASSERT_TRUE(instance.ok()) << instance.status();
    EXPECT_TRUE(Answers(spec_.control_socket));
    EXPECT_EQ(std::filesystem::read_symlink(instance->paths().run_dir +
                                            "/control.sock"),
              spec_.control_socket);
  }
  EXPECT_FALSE(Exists(spec_.control_socket));
  EXPECT_FALSE(Exists(spec_.run_root));
}

TEST_F(InstanceTest, OnlyASocketIsRemoved) {
  spec_.control_socket = scratch_.path() + "/precious";
  std::ofstream(spec_.control_socket) << "data";
  const auto instance = Instance::Claim(spec_);
  ASSERT_FALSE(instance.ok());
  EXPECT_NE(std::string(instance.status().message()).find("/precious"),
            std::string::npos)
      << instance.status();
  EXPECT_EQ(*ReadFile(spec_.control_socket), "data");
  EXPECT_FALSE(Exists(spec_.run_root));
}

TEST_F(InstanceTest, TheSocketOfARunningGatewayIsNotTaken) {
  spec_.control_socket = scratch_.path() + "/shared.sock";
  const auto first = Instance::Claim(spec_);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = Instance::Claim(Another());
  ASSERT_TRUE(absl::IsAlreadyExists(second.status())) << second.status();
  const std::string message(second.status().message());
  EXPECT_NE(message.find("process " + std::to_string(getpid())),
            std::string::npos)
      << message;
  EXPECT_NE(message.find("/shared.sock"), std::string::npos) << message;
  // The refused one takes nothing with it.
  EXPECT_TRUE(Answers(spec_.control_socket));
  EXPECT_FALSE(Exists(PathsOf(Another()).run_dir));
}

// The default place of one, named by another.
TEST_F(InstanceTest, ASocketInTheRunDirectoryIsNotTakenEither) {
  const auto first = Instance::Claim(spec_);
  ASSERT_TRUE(first.ok()) << first.status();
  InstanceSpec another = Another();
  another.control_socket = first->paths().control_socket;
  EXPECT_TRUE(absl::IsAlreadyExists(Instance::Claim(another).status()));
  EXPECT_TRUE(Answers(first->paths().control_socket));
}

TEST_F(InstanceTest, TheSocketOfADeadGatewayIsReplaced) {
  spec_.control_socket = scratch_.path() + "/shared.sock";
  ClaimAndDie(spec_);
  EXPECT_TRUE(Exists(spec_.control_socket));
  EXPECT_FALSE(Answers(spec_.control_socket));
  const auto second = Instance::Claim(Another());
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_TRUE(Answers(spec_.control_socket));
  // The dead one's next start may not take it back, nor remove it.
  EXPECT_TRUE(absl::IsAlreadyExists(Instance::Claim(spec_).status()));
  EXPECT_TRUE(Answers(spec_.control_socket));
}

TEST_F(InstanceTest, OfManyThatStartAtOnceOneGetsTheSocket) {
  constexpr int kStarts = 8;
  spec_.control_socket = scratch_.path() + "/shared.sock";
  ClaimAndDie(spec_);
  int go[2];
  int claimed[2];
  ASSERT_EQ(pipe(go), 0);
  ASSERT_EQ(pipe(claimed), 0);
  std::vector<pid_t> children;
  for (int i = 0; i < kStarts; ++i) {
    children.push_back(fork());
    if (children.back() != 0) continue;
    InstanceSpec spec = Another();
    spec.tunnel_address.bytes[3] = static_cast<uint8_t>(100 + i);
    spec.state_dir += std::to_string(i);
    char byte;
    close(go[1]);
    if (read(go[0], &byte, 1) != 0) _exit(1);  // the end, when all may go
    const auto instance = Instance::Claim(spec);
    if (write(claimed[1], instance.ok() ? "y" : "n", 1) != 1) _exit(1);
    pause();
  }
  close(go[1]);
  std::string answers;
  char byte;
  while (answers.size() < kStarts && read(claimed[0], &byte, 1) == 1) {
    answers += byte;
  }
  EXPECT_EQ(std::count(answers.begin(), answers.end(), 'y'), 1) << answers;
  EXPECT_TRUE(Answers(spec_.control_socket));
  for (const pid_t child : children) {
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
  for (const int fd : {go[0], claimed[0], claimed[1]}) close(fd);
}

TEST_F(InstanceTest, WhatAStartLeavesThatWasKilledGoesWithTheNext) {
  ClaimAndDie(spec_);
  const InstancePaths paths = PathsOf(spec_);
  std::filesystem::create_directories(paths.run_dir + "/dpdk/lwt-1");
  std::ofstream(paths.run_dir + "/dpdk/lwt-1/config") << "x";
  std::ofstream(TemporaryOf(paths.journal)) << "x";
  {
    const auto instance = Instance::Claim(spec_);
    ASSERT_TRUE(instance.ok()) << instance.status();
    EXPECT_FALSE(Exists(paths.run_dir + "/dpdk"));
    ASSERT_TRUE(Journal::Open(paths.journal).ok());
    EXPECT_FALSE(Exists(TemporaryOf(paths.journal)));
  }
  EXPECT_FALSE(Exists(spec_.run_root));
}

TEST_F(InstanceTest, AJournalWithEntriesKeepsItsPlace) {
  std::string journal;
  {
    const auto instance = Instance::Claim(spec_);
    ASSERT_TRUE(instance.ok());
    journal = instance->paths().journal;
    ASSERT_TRUE(ReplaceFile(journal, "x").ok());
  }
  EXPECT_TRUE(Exists(journal));
}

TEST_F(InstanceTest, ADirectoryThatCannotBeMadeIsNamed) {
  std::ofstream(scratch_.path() + "/file") << "x";
  spec_.run_root = scratch_.path() + "/file/run";
  const auto instance = Instance::Claim(spec_);
  ASSERT_FALSE(instance.ok());
  EXPECT_NE(std::string(instance.status().message()).find("/file"),
            std::string::npos)
      << instance.status();
}

}  // namespace
}  // namespace lwt::host
