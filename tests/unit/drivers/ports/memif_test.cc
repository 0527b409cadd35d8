#include "drivers/ports/memif.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>

#include "tests/unit/drivers/child_process.h"
#include "tests/unit/drivers/net_lab.h"

namespace lwt {
namespace {

constexpr uint16_t kFullFrameRoom = 2048 + RTE_PKTMBUF_HEADROOM;

// Frames `count` to 200 bytes that differ, from one end to the other.
std::string Carry(rte_mempool* pool, Port& from, Port& to, size_t count) {
  std::vector<rte_mbuf*> frames;
  for (size_t i = 0; i < count; ++i) {
    frames.push_back(
        MakeFrame(pool, Bytes(200 + i, static_cast<uint8_t>(i + 1))));
  }
  LWT_CHILD_EXPECT(from.Transmit(frames) == count);
  const std::vector<rte_mbuf*> got = ReceiveFrames(to, count);
  LWT_CHILD_EXPECT(got.size() == count);
  for (size_t i = 0; i < count; ++i) {
    LWT_CHILD_EXPECT(got[i]->pkt_len == 200 + i);
    LWT_CHILD_EXPECT(got[i]->l2_len == to.info().link_header_size);
    LWT_CHILD_EXPECT(*rte_pktmbuf_mtod(got[i], uint8_t*) == i + 1);
    rte_pktmbuf_free(got[i]);
  }
  return "";
}

std::string CarryBothWays(uint8_t link_header_size) {
  InitEal();
  rte_mempool* pool = MakePool("memif-test", 8191, kFullFrameRoom);
  MemifSpec spec;
  spec.name = "lwt-memif-test";
  spec.link_header_size = link_header_size;
  spec.pool = pool;
  auto pair = OpenMemifPair(spec);
  if (!pair.ok()) return pair.status().ToString();
  LWT_CHILD_EXPECT(pair->first->info().driver == "net_memif");
  LWT_CHILD_EXPECT(pair->first->wait_fd() == -1);
  std::string complaint = Carry(pool, *pair->first, *pair->second, 5);
  if (complaint.empty()) {
    complaint = Carry(pool, *pair->second, *pair->first, 32);
  }
  return complaint;
}

TEST(MemifTest, CarriesBothWaysWithALinkHeader) {
  EXPECT_EQ(RunInChild([] { return CarryBothWays(14); }), "");
}

TEST(MemifTest, CarriesBothWaysWithoutALinkHeader) {
  EXPECT_EQ(RunInChild([] { return CarryBothWays(0); }), "");
}

TEST(MemifTest, RefusesANameThatIsTooLongAndNoPool) {
  MemifSpec spec;
  spec.name = "a-name-of-more-than-20";
  EXPECT_EQ(OpenMemifPair(spec).status().code(),
            absl::StatusCode::kInvalidArgument);
  spec.name = "good";
  EXPECT_EQ(OpenMemifPair(spec).status().code(),
            absl::StatusCode::kInvalidArgument);
}

class MemifServerTest : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/lwt-memif-XXXXXX";
    ASSERT_NE(mkdtemp(pattern), nullptr);
    folder_ = pattern;
    path_ = folder_ + "/lan.sock";
  }
  void TearDown() override {
    unlink(path_.c_str());
    rmdir(folder_.c_str());
  }
  // A socket at the path, as a server that was killed leaves it.
  int ServeOrLeave(bool leave) {
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(
        bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
        0);
    EXPECT_EQ(listen(fd, 1), 0);
    if (!leave) return fd;
    close(fd);
    return -1;
  }
  absl::Status Open() {
    MemifSpec spec;
    spec.name = path_;
    spec.pool = MakePool("memif-server", 8191, kFullFrameRoom);
    return OpenMemifServer(spec).status();
  }

  std::string folder_;
  std::string path_;
};

TEST_F(MemifServerTest, OpensWhereADeadServerLeftItsSocket) {
  ServeOrLeave(/*leave=*/true);
  EXPECT_EQ(RunInChild([this] {
              InitEal();
              return std::string(Open().message());
            }),
            "");
}

TEST_F(MemifServerTest, LeavesTheSocketOfALivingServer) {
  const int fd = ServeOrLeave(/*leave=*/false);
  EXPECT_NE(RunInChild([this] {
              InitEal();
              return std::string(Open().message());
            }).find("another program serves the memif socket"),
            std::string::npos);
  EXPECT_EQ(access(path_.c_str(), F_OK), 0);
  close(fd);
}

TEST_F(MemifServerTest, LeavesAFileThatIsNoSocket) {
  fclose(fopen(path_.c_str(), "w"));
  EXPECT_NE(RunInChild([this] {
              InitEal();
              return std::string(Open().message());
            }).find("is no socket"),
            std::string::npos);
  EXPECT_EQ(access(path_.c_str(), F_OK), 0);
}

}  // namespace
}  // namespace lwt
