#include <gtest/gtest.h>
#include <unistd.h>

#include <optional>
#include <string>

#include "control/host/guard/owner_table.h"
#include "tests/unit/control/host/netns.h"

namespace lwt::host {
namespace {

class OwnerTableTest : public TwoHosts {
 protected:
  void SetUp() override {
    TwoHosts::SetUp();
    in_.emplace(left_);
  }
  static absl::StatusOr<std::unique_ptr<OwnerTable>> Open(
      std::string_view device, std::string_view rule = "ip daddr @own4 drop") {
    return OwnerTable::Open(device, {"own4 { type ipv4_addr; }"}, {rule});
  }
  static std::string Tables() { return OutputOf("nft list tables"); }
  static bool Answers(const std::string& address) {
    return system(("ping -qc1 -W1 " + address + " > /dev/null").c_str()) == 0;
  }

  const std::string own_ = "lwt_" + std::to_string(getpid());
  std::optional<InNetns> in_;
};

TEST_F(OwnerTableTest, DropsWhatItsRulesNameAndNothingElse) {
  const auto table = Open("wire");
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ((*table)->name(), own_);
  EXPECT_TRUE(Answers("10.77.0.2"));
  ASSERT_TRUE((*table)
                  ->Run("add element netdev " + own_ + " own4 { 10.77.0.1 }\n")
                  .ok());
  EXPECT_FALSE(Answers("10.77.0.2")) << "answers come to 10.77.0.1";
  EXPECT_TRUE(Answers("127.0.0.1")) << "another interface";
  ASSERT_TRUE((*table)->Run("flush set netdev " + own_ + " own4\n").ok());
  EXPECT_TRUE(Answers("10.77.0.2"));
}

TEST_F(OwnerTableTest, AProcessMayHaveSeveralUntilNamesRunOut) {
  std::vector<std::unique_ptr<OwnerTable>> tables;
  for (;;) {
    auto table = Open("wire");
    if (!table.ok()) break;
    tables.push_back(*std::move(table));
    ASSERT_LT(tables.size(), 100u);
  }
  ASSERT_EQ(tables.size(), 40u);
  EXPECT_EQ(tables[1]->name(), own_ + "_1");
  // One that goes makes room for the next, and takes no other along.
  tables.erase(tables.begin() + 3);
  EXPECT_EQ(Tables().find(own_ + "_3\n"), std::string::npos) << Tables();
  EXPECT_NE(Tables().find(own_ + "_4\n"), std::string::npos);
  auto again = Open("wire");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ((*again)->name(), own_ + "_3");
  again->reset();
  tables.clear();
  EXPECT_EQ(Tables(), "");
}

TEST_F(OwnerTableTest, ATableOfAnotherOfThatNameIsLeftAlone) {
  Shell("nft add table netdev " + own_);
  {
    const auto table = Open("wire");
    ASSERT_TRUE(table.ok()) << table.status();
    EXPECT_EQ((*table)->name(), own_ + "_1");
  }
  EXPECT_NE(Tables().find("table netdev " + own_), std::string::npos);
}

TEST_F(OwnerTableTest, ADeviceThatIsNoneIsRefused) {
  EXPECT_TRUE(absl::IsNotFound(Open("nowhere").status()));
  EXPECT_EQ(Open("nowhere").status().message(),
            "no network interface is named nowhere");
  EXPECT_TRUE(absl::IsInvalidArgument(Open("").status()));
  // What would end the name and begin a rule.
  EXPECT_TRUE(absl::IsInvalidArgument(Open("wire\" priority 0; } #").status()));
  EXPECT_EQ(Tables(), "");
}

TEST_F(OwnerTableTest, WhatNftDoesNotUnderstandIsItsOwnReason) {
  const auto table = Open("wire", "ip daddr @nobody drop");
  EXPECT_FALSE(table.ok());
  EXPECT_NE(table.status().message().find("Error"), absl::string_view::npos)
      << table.status();
  EXPECT_EQ(table.status().message().find('\n'), absl::string_view::npos);
  EXPECT_EQ(Tables(), "") << "all of it or nothing";
  const auto good = Open("wire");
  ASSERT_TRUE(good.ok()) << good.status();
  const std::string before = OutputOf("nft list ruleset");
  EXPECT_FALSE((*good)
                   ->Run("add element netdev " + own_ +
                         " own4 { 10.77.0.1 }\nadd nonsense\n")
                   .ok());
  EXPECT_EQ(OutputOf("nft list ruleset"), before) << "one transaction";
}

}  // namespace
}  // namespace lwt::host
