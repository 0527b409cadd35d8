// One direction of a lane without a worker: an encoder, sealed records that a
// test may lose, keep back or repeat, and a decoder behind real keys.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "dataplane/fec/decoder.h"
#include "dataplane/fec/encoder.h"
#include "dataplane/lane/sealing.h"
#include "tests/packet/dataplane/gateway_pair.h"

namespace lwt::fec::testing {

using Bytes = std::vector<uint8_t>;

// A sealed record on its way, and what it was made of.
struct Sent {
  Bytes record;
  wire::GroupPlace place;
  uint64_t number = 0;
  bool parity = false;
};

// The lane that it is about.
inline constexpr LaneIndex kLane{1};

class FecRig final : public DecoderHost {
 public:
  explicit FecRig(Encoder::Config encoder = {}, Decoder::Config decoder = {})
      : aead_(*Aead::Create()) {
    encoder.pool = lwt::testing::TestPool();
    encoder.max_lanes = 4;
    decoder.pool = encoder.pool;
    encoder_ = std::make_unique<Encoder>(encoder);
    decoder_ = std::make_unique<Decoder>(decoder);
    const std::array<uint8_t, kAeadKeySize> key = {1, 2, 3};
    aead_.ExpandKey(key, send_.key);
    aead_.ExpandMaskKey(key, send_.mask);
    receive_->epochs[0].held = true;
    aead_.ExpandKey(key, receive_->epochs[0].key);
    receive_->mask = send_.mask;
  }

  Encoder& encoder() { return *encoder_; }
  Decoder& decoder() { return *decoder_; }

  // A data shard passes the encoder; then the parities of what it closed.
  std::vector<Sent> Send(const Bytes& shard) {
    PacketBurst parities;
    std::vector<Sent> sent;
    encoder_->CloseFull(kLane, parities);
    SealParities(parities, sent);
    const wire::GroupPlace place =
        encoder_->Add(kLane, send_.next_packet, shard, now_us);
    sent.push_back(Seal(wire::RecordKind::kData, shard, place));
    encoder_->CloseFull(kLane, parities);
    SealParities(parities, sent);
    return sent;
  }

  // Some record of another kind.
  Sent SendOther() {
    const auto place = encoder_->Claim(kLane, send_.next_packet);
    return Seal(wire::RecordKind::kReport, Bytes(32, 9), place);
  }

  std::vector<Sent> Flush() {
    PacketBurst parities;
    std::vector<Sent> sent;
    encoder_->Flush(now_us, parities);
    SealParities(parities, sent);
    return sent;
  }

  // The record arrives. Data that opens is delivered first.
  void Receive(const Sent& sent) { Receive(Copy(sent.record)); }
  // The records side by side in one frame, a reference each.
  static std::vector<Frame> Merge(const std::vector<Sent>& sent) {
    Bytes bytes;
    for (const Sent& each : sent) {
      bytes.insert(bytes.end(), each.record.begin(), each.record.end());
    }
    Frame frame = Copy(bytes);
    rte_mbuf_refcnt_set(frame.mbuf, static_cast<uint16_t>(sent.size()));
    std::vector<Frame> frames;
    for (const Sent& each : sent) {
      frame.length = static_cast<uint32_t>(each.record.size());
      frames.push_back(frame);
      frame.data += each.record.size();
    }
    return frames;
  }
  void Receive(Frame frame) {
    wire::RecordHeader header;
    DropReason why{};
    if (session::UnmaskRecord(*receive_, {frame.data, frame.length}, header,
                              why) == nullptr) {
      return Drop(frame, why);
    }
    frame.SetHeader(header);
    frame.lane = kLane;
    if (frame.Is(wire::RecordKind::kParity)) {
      frame.sealed = true;
      return decoder_->OnParity(frame, now_us, *this);
    }
    if (!OpenParity(frame)) return;
    if (frame.group.data != 0 && !decoder_->OnShard(frame, now_us, *this)) {
      return Drop(frame, DropReason::kBadGroup);
    }
    if (frame.Is(wire::RecordKind::kData))
      delivered.emplace_back(frame.data, frame.data + frame.length);
    rte_pktmbuf_free(frame.mbuf);
  }

  // A record with a place of the test's own.
  Sent Seal(wire::RecordKind kind, const Bytes& plaintext,
            const wire::GroupPlace& place) {
    Sent sent;
    sent.record.resize(plaintext.size() + wire::kRecordOverhead);
    std::copy(plaintext.begin(), plaintext.end(),
              sent.record.begin() + wire::kRecordPrefix);
    sent.number = send_.next_packet;
    sent.place = place;
    sent.parity = kind == wire::RecordKind::kParity;
    EXPECT_TRUE(session::SealRecord(aead_, send_, kind, sent.record.data(),
                                    plaintext.size(), place));
    return sent;
  }
  void SkipNumbers(uint64_t count) { send_.next_packet += count; }
  uint64_t next_number() const { return send_.next_packet; }

  bool OpenParity(Frame& record) override {
    DropReason why{};
    ++opened;
    const session::ReceiveEpoch* epoch =
        session::EpochOf(*receive_, record.header(), why);
    if (epoch == nullptr) {
      Drop(record, why);
      return false;
    }
    if (!session::OpenUnmasked(aead_, *receive_, *epoch,
                               {record.data, record.length}, record.header())) {
      Drop(record, DropReason::kBadTag);
      return false;
    }
    record.data += wire::kRecordPrefix;
    record.length -= wire::kRecordOverhead;
    return true;
  }
  bool IsNew(LaneIndex, uint64_t number) override {
    return receive_->window.Peek(number) ==
           session::ReplayWindow::Verdict::kNew;
  }
  bool Commit(LaneIndex, uint64_t number) override {
    return receive_->window.Commit(number) ==
           session::ReplayWindow::Verdict::kNew;
  }
  size_t room(LaneIndex) override { return room_left; }
  void Deliver(const Frame& shard) override {
    repaired.emplace_back(shard.data, shard.data + shard.length);
    rte_pktmbuf_free(shard.mbuf);
  }
  void Drop(const Frame& record, DropReason reason) override {
    drops.push_back(reason);
    rte_pktmbuf_free(record.mbuf);
  }
  void CountRepaired(LaneIndex, size_t count) override {
    repaired_count += count;
  }
  void CountUnrepaired(LaneIndex, size_t count) override {
    unrepaired_count += count;
  }

  // Turns the opened record into a sealed one whose bytes are wrong.
  static Sent Damaged(Sent sent) {
    sent.record[wire::kRecordPrefix] ^= 1;
    return sent;
  }

  uint64_t now_us = 1'000'000;
  std::vector<Bytes> delivered;
  std::vector<Bytes> repaired;
  std::vector<DropReason> drops;
  size_t opened = 0;
  size_t repaired_count = 0;
  size_t unrepaired_count = 0;
  size_t room_left = 256;

 private:
  static Frame Copy(const Bytes& record) {
    rte_mbuf* mbuf =
        rte_pktmbuf_alloc(record.size() > 1900 ? lwt::testing::TestJumboPool()
                                               : lwt::testing::TestPool());
    EXPECT_NE(mbuf, nullptr);
    char* room = rte_pktmbuf_append(mbuf, static_cast<uint16_t>(record.size()));
    std::copy(record.begin(), record.end(), room);
    Frame frame;
    frame.mbuf = mbuf;
    frame.data = reinterpret_cast<uint8_t*>(room);
    frame.length = static_cast<uint32_t>(record.size());
    frame.lane = kLane;
    return frame;
  }

  void SealParities(PacketBurst& parities, std::vector<Sent>& sent) {
    for (const Frame& frame : parities.frames()) {
      EXPECT_EQ(frame.lane, kLane);
      sent.push_back(Seal(wire::RecordKind::kParity,
                          Bytes(frame.data, frame.data + frame.length),
                          frame.group));
      rte_pktmbuf_free(frame.mbuf);
    }
    parities.Clear();
  }

  const Aead aead_;
  session::SendHalf send_;
  std::unique_ptr<session::ReceiveHalf> receive_ =
      std::make_unique<session::ReceiveHalf>();
  std::unique_ptr<Encoder> encoder_;
  std::unique_ptr<Decoder> decoder_;
};

// A shard with one packet, different for each `number`.
inline Bytes ShardOf(size_t number, size_t size) {
  Bytes shard(size + wire::kShardWord);
  wire::WriteShardWord({static_cast<uint16_t>(size)}, shard.data());
  for (size_t i = 0; i < size; ++i) {
    shard[wire::kShardWord + i] =
        static_cast<uint8_t>(number * 31 + i * 7 + (number >> 8));
  }
  return shard;
}

// `shard` as it comes back: padded with zeros to the longest of its group.
inline Bytes Padded(Bytes shard, size_t size) {
  shard.resize(size, 0);
  return shard;
}

}  // namespace lwt::fec::testing
