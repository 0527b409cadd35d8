// The hub's door and the control messages: what the control thread reads of
// strangers and of peers.
#include <algorithm>
#include <array>
#include <cstdlib>

#include "control/handshake/lane_join.h"
#include "control/handshake/messages.h"
#include "control/handshake/tls_shape.h"
#include "tests/bench/worst_meter.h"
#include "tests/unit/control/handshake/exchange_fixture.h"

namespace lwt::bench {
namespace {

using handshake::ByteVector;
using handshake::TlsReader;
using handshake::TlsRecord;

constexpr size_t kCalls = 20;
constexpr size_t kSegment = 1400;

void Must(bool holds) {
  if (!holds) std::abort();
}

handshake::HelloFields Fields() {
  handshake::HelloFields fields;
  for (size_t i = 0; i < 64; ++i) {
    fields.random_and_session_id[i] = static_cast<uint8_t>(i * 7);
  }
  fields.key_share.fill(9);
  return fields;
}

// A ClientHello of the longest kind that is looked at, all of it extensions of
// four bytes that mean nothing.
ByteVector CrowdedHello() {
  ByteVector hello = handshake::BuildClientHello(Fields(), "www.example.com");
  const size_t spare = (handshake::kMaxClientHello - hello.size()) / 4 * 4;
  for (size_t i = 0; i < spare; i += 4) {
    const uint8_t extension[] = {0x5a, static_cast<uint8_t>(i), 0, 0};
    hello.insert(hello.end(), extension, extension + 4);
  }
  const auto add = [&](size_t at, size_t bytes) {
    size_t value = 0;
    for (size_t i = 0; i < bytes; ++i) value = value << 8 | hello[at + i];
    value += spare;
    for (size_t i = bytes; i-- > 0; value >>= 8) {
      hello[at + i] = static_cast<uint8_t>(value);
    }
  };
  add(3, 2);  // record
  add(6, 3);  // handshake message
  // version, random, session id, suites, compression
  size_t at = 9 + 2 + 32;
  at += 1 + hello[at];
  at += 2 + (hello[at] * 256u + hello[at + 1]);
  at += 1 + hello[at];
  add(at, 2);
  return hello;
}

// Another hello each time, as a stranger makes it: none proves the key.
size_t Inspect(WorstMeter& meter, ByteVector hello) {
  static handshake::Exchange exchange;
  static uint8_t turn = 0;
  handshake::OpenDoor open;
  for (size_t i = 0; i < kCalls; ++i) {
    hello[20] = ++turn;
    meter.Count([&] {
      const auto flight = exchange.door->Inspect(hello, handshake::kNow, open);
      Must(flight.kind != handshake::FirstFlightKind::kProven);
    });
  }
  return kCalls;
}

// Counts records: who reads them gives up at the first that does not fit.
size_t FeedTls(WorstMeter& meter, const ByteVector& segment) {
  size_t records = 0;
  for (size_t i = 0; i < kCalls; ++i) {
    TlsReader reader;
    meter.Count([&] {
      reader.Feed(segment);
      TlsRecord each;
      while (reader.Next(&each) == TlsReader::Result::kRecord) ++records;
    });
    Must(reader.pending().empty());
  }
  return records;
}

// A record that comes byte by byte.
size_t DripTls(WorstMeter& meter, const ByteVector& record) {
  TlsReader reader;
  size_t records = 0;
  for (const uint8_t byte : record) {
    meter.Count([&] {
      reader.Feed({&byte, 1});
      TlsRecord each;
      if (reader.Next(&each) == TlsReader::Result::kRecord) ++records;
    });
  }
  Must(records == 1);
  return record.size();
}

// Of so many bytes with their framing.
ByteVector Records(size_t size) {
  ByteVector bytes;
  const auto one = handshake::BuildRecord(handshake::TlsType::kApplicationData,
                                          ByteVector(size - 5, 7));
  for (size_t at = 0; at + size <= kSegment; at += size) {
    bytes.insert(bytes.end(), one.begin(), one.end());
  }
  return bytes;
}

// The first record of a flow in pieces: all of the stream so far is looked at
// with each.
size_t PeekParts(WorstMeter& meter, size_t piece) {
  const ByteVector hello =
      handshake::BuildClientHello(Fields(), "www.example.com");
  static handshake::Exchange exchange;
  handshake::OpenDoor open;
  size_t calls = 0;
  for (size_t end = piece; end < hello.size(); end += piece) {
    ++calls;
    meter.Count([&] {
      exchange.door->Inspect({hello.data(), end}, handshake::kNow, open);
    });
  }
  return calls;
}

size_t ReadControl(WorstMeter& meter, size_t body, size_t padding) {
  handshake::ControlMessage message;
  message.sequence = 1;
  message.type = handshake::ControlType::kNotice;
  message.body = handshake::Notice{.text = std::string(body, '\x01')}.Build();
  const ByteVector content = handshake::BuildControlRecord(
      handshake::BuildControlMessage(message), padding);
  for (size_t i = 0; i < kCalls; ++i) {
    meter.Count([&] {
      const auto bytes = handshake::ParseControlRecord(content);
      Must(bytes.has_value());
      const auto parsed = handshake::ParseControlMessage(*bytes);
      Must(parsed.has_value());
      Must(handshake::Notice::Parse(parsed->body).has_value());
    });
  }
  return kCalls;
}

size_t OpenJoin(WorstMeter& meter, bool forged) {
  handshake::InitCrypto();
  const handshake::KeyPair keys = handshake::DeriveJoinKeys(
      {handshake::FixedSecret(1), handshake::FixedSecret(2)});
  const auto mask = handshake::DeriveJoinMaskKey(handshake::FixedSecret(3));
  constexpr std::array<handshake::LaneId, 16> kNewest{};
  auto request = handshake::MakeLaneJoin(
      mask, keys, 7, {1}, {0}, handshake::kNow, handshake::CountedRandom::Fill);
  if (forged) request.hello.random_and_session_id[40] ^= 1;
  for (size_t i = 0; i < kCalls; ++i) {
    meter.Count([&] {
      handshake::LaneJoinSessionId(mask, request.hello);
      const auto blob = handshake::OpenLaneJoin(keys, request.hello, kNewest,
                                                handshake::kNow);
      Must(blob.has_value() != forged);
    });
  }
  return kCalls;
}

}  // namespace

std::vector<WorstCase> DoorCases() {
  using Meter = WorstMeter;
  const ByteVector plain =
      handshake::BuildClientHello(Fields(), "www.example.com");
  const ByteVector crowded = CrowdedHello();
  return {
      {"door: hello", "a browser's without the key",
       "the longest, all empty extensions",
       [plain](Meter& m) { return Inspect(m, plain); },
       [crowded](Meter& m) { return Inspect(m, crowded); }},
      {"door: hello in pieces", "of 100 bytes", "of 1 byte",
       [](Meter& m) { return PeekParts(m, 100); },
       [](Meter& m) { return PeekParts(m, 1); }},
      {"TLS reader: a record", "of 350 bytes", "of 1 byte",
       [](Meter& m) { return FeedTls(m, Records(350)); },
       [](Meter& m) { return FeedTls(m, Records(6)); }},
      {"TLS reader: a segment", "one record of 1400 bytes",
       "a byte of a long one",
       [](Meter& m) { return FeedTls(m, Records(1400)); },
       [](Meter& m) { return DripTls(m, Records(1400)); }},
      {"control message", "a short notice", "the longest, all unprintable",
       [](Meter& m) { return ReadControl(m, 60, 30); },
       [](Meter& m) { return ReadControl(m, 500, 0); }},
      {"lane join", "a true one", "one that does not verify",
       [](Meter& m) { return OpenJoin(m, false); },
       [](Meter& m) { return OpenJoin(m, true); }},
  };
}

}  // namespace lwt::bench
