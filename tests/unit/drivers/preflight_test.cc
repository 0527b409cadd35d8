#include "drivers/preflight.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "tests/unit/drivers/temp_tree.h"

namespace lwt {
namespace {

constexpr char kGoodFlags[] =
    "processor\t: 0\n"
    "flags\t\t: fpu avx2 aes pclmulqdq bmi1 bmi2 fma movbe f16c abm\n";
constexpr char kAllCapabilities[] = "CapEff:\t000001ffffffffff\n";

// A host as described by files, and what preflight says of it.
class PreflightTest : public ::testing::Test {
 protected:
  PreflightTest() {
    tree_.Write("proc/self/status", kAllCapabilities);
    tree_.Write("proc/cpuinfo", kGoodFlags);
    tree_.Write("proc/meminfo", "MemAvailable:  1048576 kB\n");
    tree_.Write("sys/devices/system/cpu/online", "0-1\n");
    input_.proc_root = tree_.root() + "/proc";
    input_.sys_root = tree_.root() + "/sys";
    input_.memory_need = 64 << 20;
  }

  Finding Find(std::string_view subject) const {
    for (const Finding& finding : RunPreflight(input_)) {
      EXPECT_EQ(finding.level == FindingLevel::kOk, finding.fix.empty())
          << finding.subject;
      if (finding.subject == subject) return finding;
    }
    ADD_FAILURE() << "nothing about " << subject;
    return {};
  }

  TempTree tree_;
  PreflightInput input_;
};

TEST_F(PreflightTest, RootMayDoAll) {
  const Finding finding = Find("privileges");
  EXPECT_EQ(finding.level, FindingLevel::kOk);
  EXPECT_EQ(finding.text, "CAP_NET_ADMIN, CAP_NET_RAW");
}

TEST_F(PreflightTest, MissingPrivilegesNameSudo) {
  tree_.Write("proc/self/status", "CapEff:\t0000000000002000\n");
  input_.program = "./lightweight-tunnel";
  Finding finding = Find("privileges");
  EXPECT_EQ(finding.level, FindingLevel::kFail);
  EXPECT_EQ(finding.text, "CAP_NET_ADMIN missing");
  EXPECT_EQ(finding.fix, "sudo ./lightweight-tunnel ...");
  tree_.Write("proc/self/status", "CapEff:\t0000000000000000\n");
  finding = Find("privileges");
  EXPECT_EQ(finding.text, "CAP_NET_ADMIN and CAP_NET_RAW missing");
  tree_.Write("proc/self/status", "CapEff:\tgarbage\n");
  EXPECT_EQ(Find("privileges").level, FindingLevel::kFail);
}

TEST_F(PreflightTest, NetworkRightsAloneLackAfXdp) {
  tree_.Write("proc/self/status", "CapEff:\t0000000000003000\n");
  EXPECT_EQ(Find("privileges").level, FindingLevel::kWarn);
  input_.uplink_driver = "af_xdp";
  EXPECT_EQ(Find("privileges").level, FindingLevel::kFail);
  input_.uplink_driver = "af_packet";
  EXPECT_EQ(Find("privileges").level, FindingLevel::kOk);
}

TEST_F(PreflightTest, TheTunDeviceIsLookedAt) {
  EXPECT_EQ(Find("tun device").level, FindingLevel::kOk);
  input_.dev_root = tree_.root() + "/dev";
  const Finding absent = Find("tun device");
  EXPECT_EQ(absent.level, FindingLevel::kFail);
  EXPECT_NE(absent.fix.find("modprobe tun"), std::string::npos);
  EXPECT_NE(absent.fix.find("mknod -m 666 " + input_.dev_root + "/net/tun"),
            std::string::npos);
  tree_.Write("dev/net/tun", "an ordinary file");
  EXPECT_EQ(Find("tun device").level, FindingLevel::kFail);
}

TEST_F(PreflightTest, AnOldCpuIsAFailure) {
  EXPECT_EQ(Find("cpu features").level, FindingLevel::kOk);
  tree_.Write("proc/cpuinfo",
              "flags : fpu aes pclmulqdq bmi1 fma movbe f16c abm\n");
  const Finding finding = Find("cpu features");
  EXPECT_EQ(finding.level, FindingLevel::kFail);
  EXPECT_EQ(finding.text, "the CPU lacks avx2, bmi2");
}

TEST_F(PreflightTest, FastCiphersAreNoted) {
  EXPECT_EQ(Find("cpu features").text,
            "AVX2, AES, PCLMULQDQ; without vaes, avx512f encryption is slower");
  tree_.Write("proc/cpuinfo",
              "flags : vaes avx512f avx2 aes pclmulqdq bmi1 bmi2 fma movbe "
              "f16c abm\n");
  EXPECT_EQ(Find("cpu features").text,
            "AVX2, AES, PCLMULQDQ, and VAES with AVX-512 for encryption");
}

TEST_F(PreflightTest, OrdinaryPagesDoWhenThereIsMemory) {
  const Finding finding = Find("memory");
  EXPECT_EQ(finding.level, FindingLevel::kOk);
  EXPECT_EQ(finding.text,
            "ordinary pages: 64 MiB; hugepages would take 32 of 2 MiB, free: "
            "none");
}

// EAL would say how it is used, and nothing of what it lacks.
TEST_F(PreflightTest, WithoutSysNoCpuIsFound) {
  input_.sys_root = tree_.root() + "/nowhere";
  const Finding finding = Find("cpus");
  EXPECT_EQ(finding.level, FindingLevel::kFail);
  EXPECT_EQ(finding.fix, "sudo mount -t sysfs sysfs " + input_.sys_root);
}

TEST_F(PreflightTest, TooLittleMemoryIsAFailure) {
  tree_.Write("proc/meminfo", "MemAvailable:  20480 kB\n");
  const Finding finding = Find("memory");
  EXPECT_EQ(finding.level, FindingLevel::kFail);
  EXPECT_NE(finding.text.find("only 20 MiB are available"), std::string::npos);
}

TEST_F(PreflightTest, AControlGroupThatAllowsTooLittleIsAFailure) {
  tree_.Write("proc/self/cgroup", "0::/lwt.service\n");
  tree_.Write("sys/fs/cgroup/lwt.service/memory.max", "67108864\n");
  EXPECT_EQ(Find("memory").level, FindingLevel::kOk) << "as much as it needs";
  tree_.Write("sys/fs/cgroup/lwt.service/memory.max", "20971520\n");
  const Finding finding = Find("memory");
  EXPECT_EQ(finding.level, FindingLevel::kFail);
  EXPECT_NE(finding.text.find("allows 20 MiB of the 64 MiB needed"),
            std::string::npos)
      << finding.text;
}

TEST_F(PreflightTest, DemandedHugepagesNameTheSysctl) {
  input_.memory = MemoryMode::kHugepages;
  const Finding finding = Find("memory");
  EXPECT_EQ(finding.level, FindingLevel::kFail);
  EXPECT_EQ(finding.fix, "sudo sysctl -w vm.nr_hugepages=32");
  EXPECT_EQ(finding.text.find("Fix"), std::string::npos);
}

TEST_F(PreflightTest, FreeHugepagesAreTaken) {
  input_.memory = MemoryMode::kHugepages;
  const std::string folder = "sys/kernel/mm/hugepages/hugepages-2048kB/";
  tree_.Write(folder + "nr_hugepages", "40\n");
  tree_.Write(folder + "free_hugepages", "40\n");
  const Finding finding = Find("memory");
  EXPECT_EQ(finding.level, FindingLevel::kOk);
  EXPECT_EQ(finding.text, "hugepages: 32 of 2 MiB (40 are free)");
}

TEST_F(PreflightTest, DriversAndSocketsOfThisHostAreThere) {
  EXPECT_EQ(Find("dpdk drivers").level, FindingLevel::kOk);
  // Which an ordinary user may not open.
  EXPECT_EQ(Find("af_packet").level,
            geteuid() == 0 ? FindingLevel::kOk : FindingLevel::kFail);
  EXPECT_EQ(Find("cpus").level, FindingLevel::kOk);
}

TEST_F(PreflightTest, AnUplinkThatIsNotThereIsWaitedFor) {
  input_.uplink_interface = "no-such-if0";
  EXPECT_EQ(Find("uplink").level, FindingLevel::kWarn);
}

const LinkState kLoopback = {"lo", true, true, true};
const LinkState kUp = {"eth0", false, true, true};
const LinkState kUnplugged = {"eth1", false, true, false};
const LinkState kDown = {"eth2", false, false, false};

TEST(UplinkTest, AutoNamesTheCandidates) {
  const LinkState links[] = {kLoopback, kUp, kUnplugged, kDown};
  for (const std::string_view name : {"auto", ""}) {
    const Finding finding = CheckUplink(name, links);
    EXPECT_EQ(finding.level, FindingLevel::kOk);
    EXPECT_EQ(finding.text, "auto, one of: eth0");
  }
}

TEST(UplinkTest, AutoBringsUpWhatIsDown) {
  const LinkState links[] = {kLoopback, kDown};
  const Finding finding = CheckUplink("auto", links);
  EXPECT_EQ(finding.level, FindingLevel::kWarn);
  EXPECT_EQ(finding.fix, "sudo ip link set dev eth2 up");
}

TEST(UplinkTest, AutoWaitsForACarrier) {
  const LinkState links[] = {kLoopback, kDown, kUnplugged};
  const Finding finding = CheckUplink("auto", links);
  EXPECT_EQ(finding.level, FindingLevel::kWarn);
  EXPECT_EQ(finding.text, "eth1 is up but has no carrier: cable or other end");
}

TEST(UplinkTest, AHostWithTheLoopbackAloneHasNoUplink) {
  const Finding finding = CheckUplink("auto", std::span(&kLoopback, 1));
  EXPECT_EQ(finding.level, FindingLevel::kWarn);
  EXPECT_EQ(finding.fix, "ip link show");
  EXPECT_EQ(CheckUplink("auto", {}).level, FindingLevel::kWarn);
}

TEST(UplinkTest, ANamedOneIsFoundByItsState) {
  const LinkState links[] = {kLoopback, kUp, kUnplugged, kDown};
  EXPECT_EQ(CheckUplink("eth0", links).level, FindingLevel::kOk);
  EXPECT_EQ(CheckUplink("eth1", links).level, FindingLevel::kWarn);
  const Finding down = CheckUplink("eth2", links);
  EXPECT_EQ(down.level, FindingLevel::kWarn);
  EXPECT_EQ(down.fix, "sudo ip link set dev eth2 up");
  const Finding absent = CheckUplink("eth9", links);
  EXPECT_EQ(absent.level, FindingLevel::kWarn);
  EXPECT_EQ(absent.text,
            "there is no interface eth9 yet; there is: eth0, eth1, eth2");
}

TEST(FormatPreflightTest, IsAnAlignedTable) {
  const Finding findings[] = {
      {FindingLevel::kOk, "cpus", "2 allowed (0-1)", ""},
      {FindingLevel::kWarn, "locked memory", "limited", "ulimit -l unlimited"},
      {FindingLevel::kFail, "uplink", "eth0 is down",
       "sudo ip link set dev eth0 up"}};
  EXPECT_EQ(FormatPreflight(findings),
            "OK    cpus           2 allowed (0-1)\n"
            "WARN  locked memory  limited\n"
            "                     fix: ulimit -l unlimited\n"
            "FAIL  uplink         eth0 is down\n"
            "                     fix: sudo ip link set dev eth0 up\n");
  EXPECT_FALSE(IsReady(findings));
  EXPECT_TRUE(IsReady(std::span(findings).first(2)));
  EXPECT_EQ(FormatPreflight({}), "");
}

}  // namespace
}  // namespace lwt
