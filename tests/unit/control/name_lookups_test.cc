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

  NameLookups::Question Ask(std::string_view host, const char* who) {
    auto question = names_.Start(
        host, 80, [this, who](absl::StatusOr<std::vector<Endpoint>> found) {
          answers_ += who;
          answers_ += found.ok() ? ToString(found->front())
                                 : std::string(found.status().message());
          answers_ += ";";
        });
    EXPECT_TRUE(question.ok()) << question.status();
    return *std::move(question);
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
  const auto first = Ask("192.0.2.1", "a ");
  const auto second = Ask("192.0.2.2", "b ");
  EXPECT_EQ(names_.open(), 2u);
  Wait();
  EXPECT_EQ(answers_, "a 192.0.2.1:80;b 192.0.2.2:80;");
  EXPECT_EQ(names_.open(), 0u);
  answers_.clear();
  names_.OnReady();
  EXPECT_EQ(answers_, "") << "each is given once";
}

TEST_F(NameLookupsTest, AFailureIsAnAnswer) {
  const auto question = Ask("name.example", "a ");
  Wait();
  EXPECT_NE(answers_.find("no such name"), std::string::npos) << answers_;
}

TEST_F(NameLookupsTest, WhoTakesItBackHearsNothing) {
  auto first = Ask("192.0.2.1", "a ");
  const auto second = Ask("192.0.2.2", "b ");
  first.TakeBack();
  first.TakeBack();
  Wait();
  EXPECT_EQ(answers_, "b 192.0.2.2:80;");
}

TEST_F(NameLookupsTest, WhoIsGoneHearsNothing) {
  Ask("192.0.2.1", "a ");
  { const auto second = Ask("192.0.2.2", "b "); }
  EXPECT_EQ(names_.open(), 0u);
  const auto third = Ask("192.0.2.3", "c ");
  Wait();
  EXPECT_EQ(answers_, "c 192.0.2.3:80;");
}

TEST_F(NameLookupsTest, ANewQuestionTakesThePlaceOfTheOneBefore) {
  NameLookups::Question question = Ask("192.0.2.1", "a ");
  question = Ask("192.0.2.2", "b ");
  EXPECT_EQ(names_.open(), 1u);
  NameLookups::Question moved = std::move(question);
  Wait();
  EXPECT_EQ(answers_, "b 192.0.2.2:80;");
}

TEST_F(NameLookupsTest, AnAnswerMayAskAgain) {
  NameLookups::Question next;
  auto question = names_.Start(
      "192.0.2.1", 80, [&](const auto&) { next = Ask("192.0.2.2", "next "); });
  ASSERT_TRUE(question.ok());
  Wait();
  Wait();
  EXPECT_EQ(answers_, "next 192.0.2.2:80;");
}

// Several answers are there at once, and the first ends who asked for the next.
TEST_F(NameLookupsTest, AnAnswerMayTakeAnotherQuestionBack) {
  NameLookups::Question second;
  const auto first =
      names_.Start("192.0.2.1", 80, [&](const auto&) { second.TakeBack(); });
  second = Ask("192.0.2.2", "b ");
  Wait();
  EXPECT_EQ(answers_, "");
  EXPECT_EQ(names_.open(), 0u);
}

TEST_F(NameLookupsTest, ThereIsAnEndToHowManyAreAsked) {
  std::vector<NameLookups::Question> asked;
  for (size_t i = 0; i < host::Resolver::kMaxPending; ++i) {
    asked.push_back(Ask("192.0.2.1", ""));
  }
  const auto more = names_.Start("192.0.2.1", 80, [](const auto&) {});
  EXPECT_TRUE(absl::IsResourceExhausted(more.status()));
  asked.pop_back();
  EXPECT_TRUE(names_.Start("192.0.2.1", 80, [](const auto&) {}).ok());
}

}  // namespace
}  // namespace lwt
