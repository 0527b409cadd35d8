#include "control/name_lookups.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <memory>
#include <string>
#include <vector>

namespace lwt {
namespace {

class NameLookupsTest : public testing::Test {
 protected:
  NameLookupsTest()
      : resolver_(*host::Resolver::Create(
            [](const std::string&) -> absl::StatusOr<std::vector<IpAddress>> {
              return absl::NotFoundError("no such name");
            })),
        names_(*resolver_) {}

  absl::StatusOr<uint64_t> Ask(std::string_view host, const char* who) {
    return names_.Start(
        host, 80, [this, who](absl::StatusOr<std::vector<Endpoint>> found) {
          answers_ += who;
          answers_ += found.ok() ? ToString(found->front())
                                 : std::string(found.status().message());
          answers_ += ";";
        });
  }
  void Wait() {
    pollfd ready{resolver_->event_fd(), POLLIN, 0};
    ASSERT_EQ(poll(&ready, 1, 10'000), 1);
    names_.OnReady();
  }

  std::unique_ptr<host::Resolver> resolver_;
  NameLookups names_;
  std::string answers_;
};

TEST_F(NameLookupsTest, EachAnswerGoesToWhoAsked) {
  ASSERT_TRUE(Ask("192.0.2.1", "a ").ok());
  ASSERT_TRUE(Ask("192.0.2.2", "b ").ok());
  Wait();
  EXPECT_EQ(answers_, "a 192.0.2.1:80;b 192.0.2.2:80;");
  names_.OnReady();
  EXPECT_EQ(answers_.size(), std::string("a 192.0.2.1:80;").size() * 2);
}

TEST_F(NameLookupsTest, AFailureIsAnAnswer) {
  ASSERT_TRUE(Ask("name.example", "a ").ok());
  Wait();
  EXPECT_NE(answers_.find("no such name"), std::string::npos) << answers_;
}

TEST_F(NameLookupsTest, WhoCancelsHearsNothing) {
  const auto first = Ask("192.0.2.1", "a ");
  ASSERT_TRUE(Ask("192.0.2.2", "b ").ok());
  names_.Cancel(*first);
  Wait();
  EXPECT_EQ(answers_, "b 192.0.2.2:80;");
}

TEST_F(NameLookupsTest, AnAnswerMayAskAgain) {
  ASSERT_TRUE(names_
                  .Start("192.0.2.1", 80,
                         [this](const auto&) {
                           EXPECT_TRUE(Ask("192.0.2.2", "next ").ok());
                         })
                  .ok());
  Wait();
  Wait();
  EXPECT_EQ(answers_, "next 192.0.2.2:80;");
}

}  // namespace
}  // namespace lwt
