#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <signal.h>
#include <sys/wait.h>

#include <filesystem>

#include "control/base/files.h"
#include "control/host/guard/offload.h"
#include "control/host/instance/instance.h"
#include "control/host/instance/switch_off.h"
#include "control/host/instance/undo.h"
#include "tests/unit/control/host/netns.h"
#include "tests/unit/control/host/scratch_dir.h"

namespace lwt::host {
namespace {

// A feature that a veth can switch; what SwitchOff does is the same for all.
constexpr std::string_view kFeature = "tx-tcp-segmentation";

// A program of one word, PASS, under the given name.
int LoadProgram(const char* name) {
  const bpf_insn instructions[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K,
                                    .dst_reg = BPF_REG_0,
                                    .src_reg = 0,
                                    .off = 0,
                                    .imm = XDP_PASS},
                                   {.code = BPF_JMP | BPF_EXIT,
                                    .dst_reg = 0,
                                    .src_reg = 0,
                                    .off = 0,
                                    .imm = 0}};
  return bpf_prog_load(BPF_PROG_TYPE_XDP, name, "GPL", instructions, 2,
                       nullptr);
}

uint32_t IdOf(int program) {
  bpf_prog_info info{};
  uint32_t size = sizeof(info);
  EXPECT_EQ(bpf_obj_get_info_by_fd(program, &info, &size), 0);
  return info.id;
}

uint32_t AttachedId(int ifindex) {
  uint32_t id = 0;
  EXPECT_EQ(bpf_xdp_query_id(ifindex, 0, &id), 0);
  return id;
}

bool IsOn(std::string_view feature) {
  const auto state = ReadFeature("wire", feature);
  return state.ok() && state->has_value() && (*state)->active;
}

class UndoTest : public TwoHosts {
 protected:
  void SetUp() override {
    TwoHosts::SetUp();
    in_.emplace(left_);
    wire_ = static_cast<int>(if_nametoindex("wire"));
    spec_.mode = "server";
    spec_.tunnel_address = ParseIpAddress("10.0.0.1").value();
    spec_.state_root = scratch_.path() + "/state";
    spec_.run_root = scratch_.path() + "/run";
  }
  HostChange Xdp(uint32_t id) const {
    return {.kind = HostChange::Kind::kXdp,
            .ifindex = wire_,
            .interface = "wire",
            .program_id = id};
  }
  // A gateway that changes the host by `change` and is killed.
  template <typename Change>
  void RunAndKill(Change change) {
    int ready[2];
    ASSERT_EQ(pipe(ready), 0);
    const pid_t child = fork();
    if (child == 0) {
      auto instance = Instance::Claim(spec_);
      auto journal = Journal::Open(instance->paths().journal);
      const char byte = change(*journal) ? 'y' : 'n';
      if (write(ready[1], &byte, 1) != 1) _exit(1);
      pause();
      _exit(0);
    }
    char byte = 0;
    EXPECT_EQ(read(ready[0], &byte, 1), 1);
    EXPECT_EQ(byte, 'y');
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    close(ready[0]);
    close(ready[1]);
  }

  std::optional<InNetns> in_;
  int wire_ = 0;
  const ScratchDir scratch_;
  InstanceSpec spec_;
};

TEST_F(UndoTest, ReadsAndSwitchesFeatures) {
  EXPECT_TRUE(IsOn(kFeature));
  ASSERT_TRUE(SetFeature("wire", kFeature, false).ok());
  EXPECT_FALSE(IsOn(kFeature));
  ASSERT_TRUE(SetFeature("wire", kFeature, true).ok());
  EXPECT_TRUE(IsOn(kFeature));
  const auto none = ReadFeature("wire", "no-such-feature");
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_FALSE(none->has_value());
  EXPECT_TRUE(absl::IsNotFound(SetFeature("wire", "no-such-feature", true)));
  EXPECT_FALSE(ReadFeature("nosuch", kFeature).ok());
  // No driver has large receive offload on a veth.
  const auto lro = ReadFeature("wire", "rx-lro");
  ASSERT_TRUE(lro.ok() && lro->has_value());
  EXPECT_FALSE((*lro)->changeable);
  EXPECT_TRUE(absl::IsFailedPrecondition(SetFeature("wire", "rx-lro", true)));
}

TEST_F(UndoTest, SwitchesOffWhatIsOnAndRestoresIt) {
  auto journal = Journal::Open(scratch_.path() + "/journal");
  ASSERT_TRUE(journal.ok());
  const std::vector<std::string_view> names = {"rx-lro", kFeature, "no-such"};
  const auto switched = SwitchOff("wire", wire_, names, *journal);
  ASSERT_TRUE(switched.ok()) << switched.status();
  EXPECT_EQ(*switched, std::vector<std::string>{std::string(kFeature)});
  EXPECT_FALSE(IsOn(kFeature));
  EXPECT_EQ(journal->entries().size(), 1u);
  EXPECT_TRUE(SwitchOff("wire", wire_, kHardwareMerging, *journal)->empty());
  EXPECT_EQ(UndoStale(*journal).size(), 1u);
  EXPECT_TRUE(IsOn(kFeature));
  EXPECT_TRUE(journal->entries().empty());
  EXPECT_FALSE(std::filesystem::exists(scratch_.path() + "/journal"));
}

TEST_F(UndoTest, TheNextStartUndoesWhatAKilledOneLeft) {
  const int program = LoadProgram("lwt_steer");
  ASSERT_GE(program, 0) << "needs CAP_BPF";
  RunAndKill([&](Journal& journal) {
    const std::vector<std::string_view> names = {kFeature};
    return SwitchOff("wire", wire_, names, journal).ok() &&
           journal.Record(Xdp(0)).ok() &&
           bpf_xdp_attach(wire_, program, 0, nullptr) == 0 &&
           journal.Record(Xdp(IdOf(program))).ok();
  });
  EXPECT_FALSE(IsOn(kFeature));
  EXPECT_EQ(AttachedId(wire_), IdOf(program));

  const auto instance = Instance::Claim(spec_);
  ASSERT_TRUE(instance.ok()) << instance.status();
  auto journal = Journal::Open(instance->paths().journal);
  ASSERT_TRUE(journal.ok()) << journal.status();
  EXPECT_EQ(journal->entries().size(), 2u);
  EXPECT_EQ(UndoStale(*journal).size(), 2u);
  EXPECT_TRUE(IsOn(kFeature));
  EXPECT_EQ(AttachedId(wire_), 0u);
  close(program);
}

TEST_F(UndoTest, CleanUpUndoesAndRemovesTheRunDirectory) {
  const int program = LoadProgram("lwt_steer");
  ASSERT_GE(program, 0);
  spec_.control_socket = scratch_.path() + "/explicit.sock";
  // Killed between the intent and the number.
  RunAndKill([&](Journal& journal) {
    return journal.Record(Xdp(0)).ok() &&
           bpf_xdp_attach(wire_, program, 0, nullptr) == 0;
  });
  EXPECT_NE(AttachedId(wire_), 0u);
  // What else a kill may leave: of DPDK's start, of a write of the journal, and
  // of the claim.
  const InstancePaths paths = PathsOf(spec_);
  std::filesystem::create_directories(paths.run_dir + "/dpdk/lwt-1");
  ASSERT_TRUE(ReplaceFile(TemporaryOf(paths.journal), "x").ok());
  ASSERT_TRUE(ReplaceFile(spec_.run_root + "/.starting", "").ok());
  const auto report = CleanUp(spec_.run_root);
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->size(), 2u);
  EXPECT_NE(report->front().find("done"), std::string::npos);
  EXPECT_EQ(AttachedId(wire_), 0u);
  EXPECT_FALSE(std::filesystem::exists(spec_.run_root));
  EXPECT_TRUE(CleanUp(spec_.run_root)->empty());
  EXPECT_FALSE(std::filesystem::exists(spec_.control_socket));
  close(program);
}

TEST_F(UndoTest, SomebodyElsesProgramStays) {
  const int program = LoadProgram("anothers");
  ASSERT_GE(program, 0);
  ASSERT_EQ(bpf_xdp_attach(wire_, program, 0, nullptr), 0);
  auto journal = Journal::Open(scratch_.path() + "/journal");
  ASSERT_TRUE(journal->Record(Xdp(0)).ok());
  UndoStale(*journal);
  EXPECT_EQ(AttachedId(wire_), IdOf(program));
  const int ours = LoadProgram("lwt_steer");
  ASSERT_TRUE(journal->Record(Xdp(IdOf(ours))).ok());
  UndoStale(*journal);
  EXPECT_EQ(AttachedId(wire_), IdOf(program));
  EXPECT_TRUE(journal->entries().empty());
  close(ours);
  close(program);
}

TEST_F(UndoTest, ARunningInstanceIsLeftAlone) {
  const auto instance = Instance::Claim(spec_);
  ASSERT_TRUE(instance.ok());
  const auto report = CleanUp(spec_.run_root);
  ASSERT_TRUE(report.ok());
  ASSERT_EQ(report->size(), 1u);
  EXPECT_NE(report->front().find(std::to_string(getpid())), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(instance->paths().pid_file));
}

TEST_F(UndoTest, EntriesOfOtherNamespacesAreKeptWhileThoseLive) {
  HostChange change{.ifindex = wire_,
                    .interface = "wire",
                    .feature = std::string(kFeature),
                    .was_on = false};
  auto journal = Journal::Open(scratch_.path() + "/journal");
  ASSERT_TRUE(journal->Record(change).ok());
  change.netns = 1;  // no namespace has this number
  ASSERT_TRUE(journal->Record(change).ok());
  {
    // The parent stays in `left_`, which /proc then shows to be alive.
    const pid_t child = fork();
    if (child == 0) {
      const InNetns elsewhere(right_);
      const auto report = UndoStale(*journal);
      const bool as_wanted = report.size() == 2 &&
                             report[0].find("gone") != std::string::npos &&
                             report[1].find("kept") != std::string::npos &&
                             journal->entries().size() == 1;
      _exit(as_wanted ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_TRUE(IsOn(kFeature));
  change.netns = CurrentNetns();
  change.ifindex = 4711;
  ASSERT_TRUE(journal->Record(change).ok());
  UndoStale(*journal);
  EXPECT_TRUE(journal->entries().empty());
  EXPECT_FALSE(IsOn(kFeature)) << "the journal said it was off";
}

}  // namespace
}  // namespace lwt::host
