#include "control/host/instance/host_names.h"

#include <gtest/gtest.h>

#include <optional>

#include "tests/unit/control/host/instance/fake_resolvers.h"

namespace lwt::host {
namespace {

using How = HostNames::How;

const handshake::DnsMessage kNames{
    .servers = {*ParseIpAddress("10.0.0.1"), *ParseIpAddress("fd00::1")},
    .domains = {"corp.example", "b.example"}};

class HostNamesTest : public testing::Test {
 protected:
  void SetUp() override {
    names_.emplace("lwt0", host_.note(), host_.places());
  }

  const FakeResolvers host_;
  std::optional<HostNames> names_;
};

TEST_F(HostNamesTest, ResolvconfIsGivenARecordAndLosesIt) {
  host_.AddResolvconf();
  const HostNames::Outcome set = names_->Set(kNames);
  EXPECT_EQ(set.how, How::kResolvconf);
  EXPECT_EQ(set.text, "names are asked of 10.0.0.1, fd00::1, by resolvconf");
  EXPECT_EQ(host_.Read("record.lwt0"),
            "nameserver 10.0.0.1\nnameserver fd00::1\n"
            "search corp.example b.example\n");
  EXPECT_TRUE(host_.Has("names"));
  // Others in its place, and none.
  names_->Set({.servers = {*ParseIpAddress("10.0.0.7")}});
  EXPECT_EQ(host_.Read("record.lwt0"), "nameserver 10.0.0.7\n");
  EXPECT_EQ(names_->Set({}).how, How::kNone);
  EXPECT_FALSE(host_.Has("record.lwt0"));
  EXPECT_FALSE(host_.Has("names"));
  EXPECT_EQ(host_.Read("calls"),
            "resolvconf -a lwt0 -m 0 -x\nresolvconf -a lwt0 -m 0 -x\n"
            "resolvconf -d lwt0 -f\n");
}

TEST_F(HostNamesTest, ItsEndTakesItBack) {
  host_.AddResolvconf();
  names_->Set(kNames);
  names_.reset();
  EXPECT_FALSE(host_.Has("record.lwt0"));
  EXPECT_FALSE(host_.Has("names"));
}

TEST_F(HostNamesTest, WhereInterfacesAreRankedItsNameStandsFirst) {
  host_.AddResolvconf();
  std::ofstream(host_.places().interface_order) << "lo.*\ntun*\neth*\n";
  names_->Set(kNames);
  EXPECT_TRUE(host_.Has("record.tun.lwt0"));
  names_->Set({});
  EXPECT_FALSE(host_.Has("record.tun.lwt0"));
}

TEST_F(HostNamesTest, SystemdResolvedIsToldOfTheLink) {
  host_.AddResolvconf();
  host_.AddResolved();
  EXPECT_EQ(names_->Set(kNames).how, How::kResolved);
  EXPECT_EQ(host_.Read("calls"),
            "resolvectl dns lwt0 10.0.0.1 fd00::1\n"
            "resolvectl domain lwt0 corp.example b.example ~.\n");
  names_.reset();
  EXPECT_NE(host_.Read("calls").find("resolvectl revert lwt0\n"),
            std::string::npos);
  EXPECT_FALSE(host_.Has("record.lwt0"));
}

TEST_F(HostNamesTest, OneThatRefusesLeavesItToTheOther) {
  host_.AddResolvconf();
  host_.AddResolved("test \"$1\" != domain");
  EXPECT_EQ(names_->Set(kNames).how, How::kResolvconf);
  EXPECT_NE(host_.Read("calls").find("resolvectl revert lwt0\n"),
            std::string::npos)
      << "the half of it";
  // It takes it now: the record of the other goes.
  host_.AddResolved();
  EXPECT_EQ(names_->Set({.servers = kNames.servers}).how, How::kResolved);
  EXPECT_FALSE(host_.Has("record.lwt0"));
}

TEST_F(HostNamesTest, WhereNobodyManagesNamesItIsSaidWhatToDo) {
  host_.Nobody();
  const HostNames::Outcome set = names_->Set(kNames);
  EXPECT_EQ(set.how, How::kNobody);
  EXPECT_EQ(set.text,
            "neither systemd-resolved nor resolvconf manages the names of this "
            "host; put this into /etc/resolv.conf: nameserver 10.0.0.1; "
            "nameserver fd00::1; search corp.example b.example");
  EXPECT_FALSE(host_.Has("names"));
  EXPECT_EQ(names_->Set({}).how, How::kNone);
}

TEST_F(HostNamesTest, AFailureIsSaidAndNothingOfItStays) {
  host_.AddResolvconf("exit 3");
  const HostNames::Outcome set = names_->Set(kNames);
  EXPECT_EQ(set.how, How::kFailed);
  EXPECT_NE(set.text.find("resolvconf failed with status 3"), std::string::npos)
      << set.text;
  EXPECT_FALSE(host_.Has("record.lwt0"));
  EXPECT_FALSE(host_.Has("names"));
}

TEST_F(HostNamesTest, WithoutAPlaceForTheNoteNothingIsChanged) {
  host_.AddResolvconf();
  HostNames names("lwt0", host_.path() + "/none/names", host_.places());
  EXPECT_EQ(names.Set(kNames).how, How::kFailed);
  EXPECT_FALSE(host_.Has("record.lwt0"));
}

TEST_F(HostNamesTest, WhatARunBeforeNotedIsTakenBack) {
  host_.AddResolvconf();
  std::ofstream(host_.path() + "/record.lwt3") << "nameserver 10.0.0.1\n";
  std::ofstream(host_.note()) << "resolvconf lwt3\n";
  EXPECT_EQ(HostNames::TakeBackNoted(host_.note(), host_.places()),
            "name servers of lwt3: taken back");
  EXPECT_FALSE(host_.Has("record.lwt3"));
  EXPECT_FALSE(host_.Has("names"));
  EXPECT_EQ(HostNames::TakeBackNoted(host_.note(), host_.places()), "");
}

TEST_F(HostNamesTest, ANoteThatIsNoneStartsNothing) {
  host_.AddResolvconf();
  for (const char* text :
       {"", "resolvconf", "resolvconf lwt0", "resolvconf -f\n",
        "resolvconf ../x\n", "rm lwt0\n", "resolvconf lwt0 x\n", " lwt0\n"}) {
    std::ofstream(host_.note()) << text;
    EXPECT_EQ(HostNames::TakeBackNoted(host_.note(), host_.places()), "")
        << text;
  }
  EXPECT_FALSE(host_.Has("calls"));
}

}  // namespace
}  // namespace lwt::host
