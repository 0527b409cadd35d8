// Lists that change while the kernel gives them: it marks what it may have left
// out, or given twice, which none of a test's own does in time.
#include <gtest/gtest.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <cstring>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "control/host/net/netlink.h"

namespace lwt::host {
namespace {

struct NamedLink {
  ifinfomsg link;
  nlattr attribute = {NLA_HDRLEN + 2, IFLA_IFNAME};
  char name[4] = "a";
};

struct Given {
  std::vector<int> links;
  uint16_t flags = 0;       // of each message
  uint16_t done_flags = 0;  // of the end
};

// Answers each request for the links by the next list; the last one for ever.
class ScriptedSocket final : public NetlinkSocket {
 public:
  ScriptedSocket(std::deque<Given> script, int& requests)
      : script_(std::move(script)), requests_(requests) {}

  absl::Status Send(const nlmsghdr& request) override {
    ++requests_;
    sequence_ = request.nlmsg_seq;
    given_ = script_.front();
    if (script_.size() > 1) script_.pop_front();
    return absl::OkStatus();
  }
  absl::StatusOr<size_t> Receive(std::span<uint8_t> buffer) override {
    size_t used = 0;
    for (const int index : given_.links) {
      used += Put(buffer.subspan(used), RTM_NEWLINK, given_.flags,
                  NamedLink{.link = {.ifi_index = index}});
    }
    used += Put(buffer.subspan(used), NLMSG_DONE, given_.done_flags, int32_t{});
    return used;
  }

 private:
  template <typename Body>
  size_t Put(std::span<uint8_t> to, uint16_t type, uint16_t flags, Body body) {
    nlmsghdr header{};
    header.nlmsg_len = NLMSG_LENGTH(sizeof(Body));
    header.nlmsg_type = type;
    header.nlmsg_flags = static_cast<uint16_t>(NLM_F_MULTI | flags);
    header.nlmsg_seq = sequence_;
    std::memcpy(to.data(), &header, sizeof(header));
    std::memcpy(to.data() + NLMSG_HDRLEN, &body, sizeof(body));
    return NLMSG_SPACE(sizeof(body));
  }

  std::deque<Given> script_;
  int& requests_;
  Given given_;
  uint32_t sequence_ = 0;
};

std::vector<int> LinksOf(std::deque<Given> script, int& requests) {
  const auto netlink = Netlink::Over(
      std::make_unique<ScriptedSocket>(std::move(script), requests));
  const auto links = netlink->Links();
  EXPECT_TRUE(links.ok()) << links.status();
  std::vector<int> indexes;
  for (const Link& link : *links) indexes.push_back(link.index);
  return indexes;
}

TEST(NetlinkListTest, OneThatWasInterruptedIsAskedForAgainFromItsBeginning) {
  int requests = 0;
  EXPECT_EQ(LinksOf({{{1, 2, 2}, NLM_F_DUMP_INTR, 0},
                     {{1}, 0, NLM_F_DUMP_INTR},
                     {{1, 2, 3}, 0, 0}},
                    requests),
            (std::vector{1, 2, 3}));
  EXPECT_EQ(requests, 3);
}

TEST(NetlinkListTest, OneThatWasNotIsAskedForOnce) {
  int requests = 0;
  EXPECT_EQ(LinksOf({{{4, 5}, 0, 0}}, requests), (std::vector{4, 5}));
  EXPECT_EQ(requests, 1);
}

TEST(NetlinkListTest, WhereChangesNeverEndTheLastOneHasToDo) {
  int requests = 0;
  EXPECT_EQ(
      LinksOf({{{7}, NLM_F_DUMP_INTR, 0}, {{8}, NLM_F_DUMP_INTR, 0}}, requests),
      (std::vector{8}));
  EXPECT_EQ(requests, 8);
}

}  // namespace
}  // namespace lwt::host
