#include "control/host/net/resolver.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

namespace lwt::host {
namespace {

IpAddress Ip(std::string_view text) { return ParseIpAddress(text).value(); }

// A look-up that answers when the test lets it.
class Gate {
 public:
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void Pass() {
    std::unique_lock lock(mutex_);
    entered_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void WaitUntilEntered() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return entered_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  bool entered_ = false;
};

std::vector<Resolver::Result> WaitForResults(Resolver& resolver) {
  pollfd waited{.fd = resolver.event_fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&waited, 1, 10'000), 1);
  return resolver.Drain();
}

bool IsQuiet(Resolver& resolver) {
  pollfd waited{.fd = resolver.event_fd(), .events = POLLIN, .revents = 0};
  return poll(&waited, 1, 0) == 0;
}

// A zone whose servers are down must not keep the next hub's name waiting.
TEST(Resolver, AHangThatNobodyWaitsForHoldsUpNoOtherName) {
  auto gate = std::make_shared<Gate>();
  auto resolver = Resolver::Create([gate](const std::string& host) {
    if (host == "hangs.test") gate->Pass();
    return std::vector{Ip("192.0.2.7")};
  });
  ASSERT_TRUE(resolver.ok()) << resolver.status();
  const auto hung = (*resolver)->Start("hangs.test", 9000);
  ASSERT_TRUE(hung.ok());
  gate->WaitUntilEntered();
  const auto waiting = (*resolver)->Start("first.test", 9000);
  ASSERT_TRUE(waiting.ok());
  EXPECT_TRUE(IsQuiet(**resolver)) << "one name at a time";
  (*resolver)->Cancel(*hung);
  auto results = WaitForResults(**resolver);
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].id, *waiting);
  const auto next = (*resolver)->Start("second.test", 9000);
  ASSERT_TRUE(next.ok());
  results = WaitForResults(**resolver);
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].id, *next);
  gate->Open();
}

// Nor may hangs make threads without end.
TEST(Resolver, HangsHaveABoundOfThreads) {
  auto gate = std::make_shared<Gate>();
  std::atomic<size_t> entered = 0;
  auto resolver = Resolver::Create([gate, &entered](const std::string&) {
    ++entered;
    gate->Pass();
    return std::vector{Ip("192.0.2.7")};
  });
  ASSERT_TRUE(resolver.ok()) << resolver.status();
  for (size_t i = 0; i < Resolver::kMaxThreads + 3; ++i) {
    const auto hung = (*resolver)->Start("hangs.test", 9000);
    ASSERT_TRUE(hung.ok());
    while (entered < std::min(i + 1, Resolver::kMaxThreads)) {
      std::this_thread::yield();
    }
    (*resolver)->Cancel(*hung);
  }
  const auto last = (*resolver)->Start("last.test", 9000);
  ASSERT_TRUE(last.ok());
  EXPECT_EQ(entered, Resolver::kMaxThreads);
  gate->Open();
  const auto results = WaitForResults(**resolver);
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].id, *last);
}

TEST(Resolver, LiteralsAreReadyAtOnce) {
  auto resolver = Resolver::Create([](const std::string& host) {
    ADD_FAILURE() << host;
    return std::vector<IpAddress>();
  });
  ASSERT_TRUE(resolver.ok()) << resolver.status();
  EXPECT_TRUE(IsQuiet(**resolver));
  const auto v4 = (*resolver)->Start("192.0.2.1", 9000);
  const auto v6 = (*resolver)->Start("2001:db8::1", 9001);
  ASSERT_TRUE(v4.ok() && v6.ok());
  EXPECT_FALSE(IsQuiet(**resolver));
  const auto results = (*resolver)->Drain();
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0].id, *v4);
  EXPECT_EQ(results[0].endpoints->front(), ParseEndpoint("192.0.2.1:9000"));
  EXPECT_EQ(results[1].id, *v6);
  EXPECT_EQ(results[1].endpoints->front(), ParseEndpoint("[2001:db8::1]:9001"));
  EXPECT_TRUE(IsQuiet(**resolver));
  EXPECT_TRUE((*resolver)->Drain().empty());
}

TEST(Resolver, NamesComeInOrderAndEachAddressOnce) {
  auto resolver = Resolver::Create(
      [](const std::string& host) -> absl::StatusOr<std::vector<IpAddress>> {
        if (host == "bad") return absl::NotFoundError("no bad");
        return std::vector{Ip("fd00::1"), Ip("10.0.0.1"), Ip("fd00::1")};
      });
  ASSERT_TRUE(resolver.ok());
  ASSERT_TRUE((*resolver)->Start("good", 1).ok());
  auto results = WaitForResults(**resolver);
  ASSERT_EQ(results.size(), 1u);
  ASSERT_TRUE(results[0].endpoints.ok());
  EXPECT_EQ(*results[0].endpoints,
            (std::vector{Endpoint{Ip("fd00::1"), 1}, {Ip("10.0.0.1"), 1}}));
  ASSERT_TRUE((*resolver)->Start("bad", 1).ok());
  results = WaitForResults(**resolver);
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].host, "bad");
  EXPECT_TRUE(absl::IsNotFound(results[0].endpoints.status()));
}

TEST(Resolver, ACancelledQueryNeverComes) {
  auto gate = std::make_shared<Gate>();
  auto resolver = Resolver::Create([gate](const std::string&) {
    gate->Pass();
    return std::vector{Ip("10.0.0.1")};
  });
  ASSERT_TRUE(resolver.ok());
  const auto running = (*resolver)->Start("running", 1);
  gate->WaitUntilEntered();
  const auto waiting = (*resolver)->Start("waiting", 2);
  const auto literal = (*resolver)->Start("10.0.0.9", 3);
  const auto last = (*resolver)->Start("last", 4);
  (*resolver)->Cancel(*running);
  (*resolver)->Cancel(*waiting);
  (*resolver)->Cancel(*literal);
  (*resolver)->Drain();
  gate->Open();
  const auto results = WaitForResults(**resolver);
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].id, *last);
}

TEST(Resolver, DestructionDoesNotWaitForAHangingLookup) {
  auto gate = std::make_shared<Gate>();
  auto resolver = Resolver::Create([gate](const std::string&) {
    gate->Pass();
    return std::vector{Ip("10.0.0.1")};
  });
  ASSERT_TRUE(resolver.ok());
  ASSERT_TRUE((*resolver)->Start("hangs", 1).ok());
  gate->WaitUntilEntered();
  const auto before = std::chrono::steady_clock::now();
  resolver->reset();
  EXPECT_LT(std::chrono::steady_clock::now() - before,
            std::chrono::milliseconds(500));
  gate->Open();
}

TEST(Resolver, TheNumberOfPendingNamesIsBounded) {
  auto gate = std::make_shared<Gate>();
  auto resolver = Resolver::Create([gate](const std::string&) {
    gate->Pass();
    return std::vector{Ip("10.0.0.1")};
  });
  ASSERT_TRUE(resolver.ok());
  ASSERT_TRUE((*resolver)->Start("first", 1).ok());
  gate->WaitUntilEntered();
  for (size_t i = 0; i < Resolver::kMaxPending; ++i) {
    ASSERT_TRUE((*resolver)->Start("more", 1).ok());
  }
  EXPECT_TRUE(
      absl::IsResourceExhausted((*resolver)->Start("beyond", 1).status()));
  gate->Open();
}

TEST(SystemLookup, LocalhostIsFoundAndNonsenseIsNot) {
  const auto found = SystemLookup("localhost");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_FALSE(found->empty());
  const auto missing = SystemLookup("no such name");
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(std::string(missing.status().message()).find("no such name"),
            std::string::npos);
}

}  // namespace
}  // namespace lwt::host
