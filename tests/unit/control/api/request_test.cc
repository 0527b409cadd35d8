#include "control/api/request.h"

#include <gtest/gtest.h>

namespace lwt::api {
namespace {

std::span<const uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

TEST(RequestTest, EveryRequestIsKnown) {
  EXPECT_EQ(ParseRequest(Bytes("status\n")), (Request{RequestKind::kStatus}));
  EXPECT_EQ(ParseRequest(Bytes("status json\n")),
            (Request{RequestKind::kStatusJson}));
  EXPECT_EQ(ParseRequest(Bytes("peers\n")), (Request{RequestKind::kPeers}));
  EXPECT_EQ(ParseRequest(Bytes("peers json\n")),
            (Request{RequestKind::kPeersJson}));
  EXPECT_EQ(ParseRequest(Bytes("events\n")), (Request{RequestKind::kEvents}));
  EXPECT_EQ(ParseRequest(Bytes("events f\n")),
            (Request{RequestKind::kEventsFollow}));
  EXPECT_EQ(ParseRequest(Bytes("version\n")), (Request{RequestKind::kVersion}));
  EXPECT_EQ(ParseRequest(Bytes("reload\n")), (Request{RequestKind::kReload}));
  EXPECT_EQ(ParseRequest(Bytes("peer forget 10.0.0.2\n")),
            (Request{RequestKind::kPeerForget, *ParseIpPrefix("10.0.0.2/32")}));
  EXPECT_EQ(ParseRequest(Bytes("peer forget fd00::2\n")),
            (Request{RequestKind::kPeerForget, *ParseIpPrefix("fd00::2/128")}));
  EXPECT_EQ(ParseRequest(Bytes("peer forget 10.0.0.0/24\n")),
            (Request{RequestKind::kPeerForget, *ParseIpPrefix("10.0.0.0/24")}));
  const handshake::PublicKey key = {1};
  const std::string text = " AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
  EXPECT_EQ(ParseRequest(Bytes("peer forget" + text)),
            (Request{.kind = RequestKind::kPeerForgetKey, .key = key}));
  EXPECT_EQ(ParseRequest(Bytes("peer forget office-2\n")),
            (Request{.kind = RequestKind::kPeerForgetKey, .name = "office-2"}));
  EXPECT_EQ(
      ParseRequest(Bytes("route forget office-2\n")),
      (Request{.kind = RequestKind::kRouteForgetKey, .name = "office-2"}));
  EXPECT_EQ(ParseRequest(Bytes("peer ban" + text)),
            (Request{.kind = RequestKind::kPeerBan, .key = key}));
  EXPECT_EQ(ParseRequest(Bytes("peer unban" + text)),
            (Request{.kind = RequestKind::kPeerUnban, .key = key}));
  EXPECT_EQ(ParseRequest(Bytes("peer banned\n")),
            (Request{RequestKind::kPeerBanned}));
  EXPECT_EQ(ParseRequest(Bytes("routes\n")), (Request{RequestKind::kRoutes}));
  EXPECT_EQ(ParseRequest(Bytes("routes json\n")),
            (Request{RequestKind::kRoutesJson}));
  EXPECT_EQ(ParseRequest(Bytes("route forget fd20::/32\n")),
            (Request{RequestKind::kRouteForget, *ParseIpPrefix("fd20::/32")}));
  EXPECT_EQ(ParseRequest(Bytes("route forget" + text)),
            (Request{.kind = RequestKind::kRouteForgetKey, .key = key}));
}

TEST(RequestTest, NothingElseIsAccepted) {
  for (std::string_view text : {"",
                                "\n",
                                "status",
                                "status\n\n",
                                "status\nstatus\n",
                                " status\n",
                                "status \n",
                                "status  json\n",
                                "status\r\n",
                                "Status\n",
                                "statusjson\n",
                                "peer\n",
                                "peers \n",
                                "peers  json\n",
                                "wait\n",
                                "events -f\n",
                                "events f \n",
                                "peer forget\n",
                                "peer forget \n",
                                "peer forget 10.0.0\n",
                                "peer forget 10.0.0.2 \n",
                                "peer forget 10.0.0.2/24\n",
                                "peer  forget 10.0.0.2\n",
                                "version json\n",
                                "reload now\n",
                                "routes  json\n",
                                "route forget\n",
                                "route forget 10.20.0.1/16\n",
                                "peer ban\n",
                                "peer ban 10.0.0.2\n",
                                "peer ban AQ==\n",
                                "peer banned \n",
                                "peer unban\n",
                                "peer forget 10.0.0.0/33\n"}) {
    EXPECT_FALSE(ParseRequest(Bytes(text))) << text;
  }
  EXPECT_FALSE(ParseRequest(Bytes(std::string_view("status\0\n", 8))));
  EXPECT_FALSE(
      ParseRequest(Bytes("peer forget " + std::string(5000, '1') + "\n")));
}

TEST(ResponseTest, GoldenBytes) {
  EXPECT_EQ(OkResponse("{}\n"), "ok 3\n{}\n");
  EXPECT_EQ(OkResponse(""), "ok 0\n");
  EXPECT_EQ(ErrorResponse("no such\npeer"), "error no such peer\n");
}

TEST(ResponseTest, RoundTrip) {
  for (std::string body : {"", "\n", "a\nb\n", "ok 3\nabc"}) {
    auto response = ParseResponse(Bytes(OkResponse(body)));
    ASSERT_TRUE(response);
    EXPECT_TRUE(response->ok);
    EXPECT_EQ(response->text, body);
  }
  auto response = ParseResponse(Bytes(ErrorResponse("no peer")));
  ASSERT_TRUE(response);
  EXPECT_FALSE(response->ok);
  EXPECT_EQ(response->text, "no peer");
}

TEST(ResponseTest, EveryCutIsSeen) {
  std::string whole = OkResponse("a body of some bytes\n");
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(ParseResponse(Bytes(whole.substr(0, size)))) << size;
  }
  EXPECT_FALSE(ParseResponse(Bytes(whole + "x")));
}

TEST(ResponseTest, OtherFirstLinesAreRefused) {
  for (std::string_view text :
       {"ok\n", "ok \n", "ok 01\na", "ok +1\na", "ok -1\na", "ok 1 \na",
        "OK 1\na", "error\n", "error x\ny", "ok 18446744073709551617\na"}) {
    EXPECT_FALSE(ParseResponse(Bytes(text))) << text;
  }
}

}  // namespace
}  // namespace lwt::api
