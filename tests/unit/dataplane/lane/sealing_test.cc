#include "dataplane/lane/sealing.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "dataplane/wire/be.h"

namespace lwt::session {
namespace {

using Bytes = std::vector<uint8_t>;
using Key = std::array<uint8_t, kAeadKeySize>;
using wire::RecordKind;

Bytes FromHex(const std::string& hex) {
  Bytes bytes(hex.size() / 2);
  sodium_hex2bin(bytes.data(), bytes.size(), hex.data(), hex.size(), nullptr,
                 nullptr, nullptr);
  return bytes;
}

// The worked keys of docs/protocol.md#keys.
constexpr char kLaneKey[] =
    "8821493161e9793e9d97d46f1200d5891968403b16847aed49b11af0d3aefa51";
constexpr char kLaneIv[] = "06ee91331147b8f798dd76c6";
constexpr char kMaskKey[] =
    "18e4929ae2659d9cf0b227f82bdd487dc054be70b2cd0a1766eecdec9a27c9a0";

// A lane's two halves with keys that agree. Key and IV of an epoch are the
// worked ones plus its number.
class Sealing : public ::testing::Test {
 protected:
  Sealing() : aead_(*Aead::Create()) {
    SwitchSend(7);
    InstallReceive(7);
    aead_.ExpandMaskKey(KeyOf(kMaskKey, 0), send_.mask);
    aead_.ExpandMaskKey(KeyOf(kMaskKey, 0), receive_->mask);
  }

  static Key KeyOf(const std::string& hex, uint32_t epoch) {
    Key key{};
    const Bytes bytes = FromHex(hex);
    std::copy(bytes.begin(), bytes.end(), key.begin());
    key[0] = static_cast<uint8_t>(key[0] + epoch);
    key[1] = static_cast<uint8_t>(key[1] + (epoch >> 8));
    return key;
  }
  static std::array<uint8_t, kAeadIvSize> IvOf() {
    std::array<uint8_t, kAeadIvSize> iv{};
    const Bytes bytes = FromHex(kLaneIv);
    std::copy(bytes.begin(), bytes.end(), iv.begin());
    return iv;
  }

  void SwitchSend(uint32_t epoch) {
    send_.epoch = epoch;
    send_.epoch_first_packet = send_.next_packet;
    send_.iv = IvOf();
    aead_.ExpandKey(KeyOf(kLaneKey, epoch - 7), send_.key);
  }

  void InstallReceive(uint32_t epoch) {
    ReceiveEpoch& slot = receive_->epochs[epoch % kReceiveEpochs];
    slot.held = true;
    slot.epoch = epoch;
    slot.iv = IvOf();
    aead_.ExpandKey(KeyOf(kLaneKey, epoch - 7), slot.key);
  }

  Bytes Seal(const Bytes& plaintext, RecordKind kind = RecordKind::kData) {
    Bytes record(wire::kRecordOverhead + plaintext.size(), 0xee);
    std::copy(plaintext.begin(), plaintext.end(),
              record.begin() + wire::kRecordPrefix);
    EXPECT_TRUE(
        SealRecord(aead_, send_, kind, record.data(), plaintext.size()));
    return record;
  }

  // The plaintext, or nullopt with the reason in `why_`.
  std::optional<Bytes> Open(Bytes record) {
    if (!OpenRecord(aead_, *receive_, record, header_, why_)) {
      return std::nullopt;
    }
    return Bytes(record.begin() + wire::kRecordPrefix,
                 record.end() - wire::kRecordTag);
  }

  const Aead aead_;
  SendHalf send_;
  std::unique_ptr<ReceiveHalf> receive_ = std::make_unique<ReceiveHalf>();
  wire::RecordHeader header_;
  DropReason why_{};
};

Bytes GoldenPlaintext() {
  Bytes bytes = {0x80, 20};
  for (uint8_t i = 0; i < 20; ++i) bytes.push_back(uint8_t(0x40 + i));
  return bytes;
}
constexpr uint64_t kGoldenNumber = 0x010203040506;
// Made by another implementation of AES-GCM and AES from the worked keys.
constexpr char kGoldenRecord[] =
    "1703030036db3b556c617e8233d3a2595708b887c493074cbc01b6544efc9cd0b84365f3"
    "aeb4da8c6358f1f7b1676549ed29e368f748ef1795e064";

TEST_F(Sealing, GoldenRecord) {
  send_.next_packet = kGoldenNumber;
  send_.epoch_first_packet = kGoldenNumber;
  const Bytes record = Seal(GoldenPlaintext());
  EXPECT_EQ(record, FromHex(kGoldenRecord));
  EXPECT_EQ(wire::RecordSize(record), record.size());
  EXPECT_EQ(Open(record), GoldenPlaintext());
  EXPECT_EQ(header_.kind, 0);
  EXPECT_EQ(header_.epoch, 7);
  EXPECT_EQ(header_.packet_number, kGoldenNumber);
}

TEST_F(Sealing, CiphertextAndTagAreThoseOfLibsodium) {
  ASSERT_GE(sodium_init(), 0);
  ASSERT_EQ(crypto_aead_aes256gcm_is_available(), 1);
  for (const size_t size : {0u, 1u, 15u, 16u, 17u, 1411u, 16608u}) {
    Bytes plaintext(size);
    std::iota(plaintext.begin(), plaintext.end(), uint8_t{1});
    const uint64_t number = send_.next_packet;
    const Bytes record = Seal(plaintext, RecordKind::kControl);

    Bytes aad(16);
    wire::StoreBe64(aad.data(), number);
    aad[0] = 2;
    aad[1] = 7;
    Bytes nonce = FromHex(kLaneIv);
    for (size_t i = 0; i < 8; ++i)
      nonce[4 + i] ^= uint8_t(number >> (56 - 8 * i));
    Bytes sealed(size + 16);
    crypto_aead_aes256gcm_encrypt(sealed.data(), nullptr, plaintext.data(),
                                  size, aad.data(), aad.size(), nullptr,
                                  nonce.data(), FromHex(kLaneKey).data());
    EXPECT_EQ(Bytes(record.begin() + wire::kRecordPrefix, record.end()), sealed)
        << size;
  }
}

TEST_F(Sealing, RoundTripOfEveryKindAndSize) {
  for (uint8_t kind = 0; kind < 6; ++kind) {
    for (const size_t size : {0u, 1u, 32u, 1411u, 16608u}) {
      const Bytes plaintext(size, uint8_t(size + kind));
      const uint64_t number = send_.next_packet;
      const Bytes record = Seal(plaintext, RecordKind{kind});
      EXPECT_EQ(wire::RecordSize(record), record.size());
      ASSERT_EQ(Open(record), plaintext) << int{kind} << " " << size;
      EXPECT_EQ(header_.kind, kind);
      EXPECT_EQ(header_.packet_number, number);
    }
  }
  EXPECT_EQ(receive_->records_opened, 30u);
  EXPECT_EQ(send_.next_packet, 30u);
  EXPECT_EQ(receive_->window.next(), 30u);
}

TEST_F(Sealing, EqualPlaintextsLookUnlike) {
  const Bytes plaintext(64, 0);
  const Bytes first = Seal(plaintext);
  const Bytes second = Seal(plaintext);
  const auto header = [](const Bytes& record) {
    return Bytes(record.begin() + 5, record.begin() + 21);
  };
  EXPECT_NE(header(first), header(second));
  EXPECT_NE(Bytes(first.begin() + 21, first.end()),
            Bytes(second.begin() + 21, second.end()));
}

TEST_F(Sealing, EveryTurnedBitIsRefusedAndChangesNothing) {
  send_.next_packet = 100'000;
  const Bytes plaintext = GoldenPlaintext();
  ASSERT_TRUE(Open(Seal(plaintext)));
  const Bytes record = Seal(plaintext);
  const uint64_t next = receive_->window.next();
  const size_t first_bit = wire::kRecordFraming * 8;
  for (size_t bit = first_bit; bit < record.size() * 8; ++bit) {
    Bytes turned = record;
    turned[bit / 8] ^= uint8_t(1u << bit % 8);
    ASSERT_FALSE(Open(turned)) << bit;
    ASSERT_EQ(receive_->window.next(), next) << bit;
    ASSERT_EQ(receive_->records_opened, 1u) << bit;
  }
  EXPECT_EQ(Open(record), plaintext);
}

TEST_F(Sealing, EveryTurnedBitOfTheFramingNamesAnotherRecord) {
  const Bytes record = Seal(GoldenPlaintext());
  for (size_t bit = 0; bit < wire::kRecordFraming * 8; ++bit) {
    Bytes turned = record;
    turned[bit / 8] ^= uint8_t(1u << bit % 8);
    EXPECT_NE(wire::RecordSize(turned), record.size()) << bit;
  }
}

TEST_F(Sealing, CutOrGrownRecordIsRefused) {
  const Bytes record = Seal(GoldenPlaintext());
  for (size_t size = 0; size < record.size(); ++size) {
    ASSERT_FALSE(Open(Bytes(record.begin(), record.begin() + ptrdiff_t(size))));
    if (size < wire::kRecordOverhead) {
      EXPECT_EQ(why_, DropReason::kNoRecord) << size;
    }
  }
  Bytes grown = record;
  grown.push_back(0);
  EXPECT_FALSE(Open(grown));
  EXPECT_TRUE(Open(record));
}

TEST_F(Sealing, ProvingChangesNothing) {
  const Bytes record = Seal(GoldenPlaintext());
  const auto proves = [this](Bytes copy) {
    return ProveRecord(aead_, *receive_, copy);
  };
  EXPECT_TRUE(proves(record));
  EXPECT_EQ(receive_->records_opened, 0u);
  EXPECT_TRUE(Open(record));
  EXPECT_TRUE(proves(record)) << "a record that came before is one too";
  for (size_t bit = wire::kRecordFraming * 8; bit < record.size() * 8; ++bit) {
    Bytes turned = record;
    turned[bit / 8] ^= uint8_t(1u << bit % 8);
    EXPECT_FALSE(proves(turned)) << bit;
  }
  for (size_t size = 0; size < record.size(); ++size) {
    EXPECT_FALSE(proves({record.begin(), record.begin() + ptrdiff_t(size)}));
  }
}

TEST_F(Sealing, RecordOpensOnce) {
  const Bytes record = Seal(GoldenPlaintext());
  EXPECT_TRUE(Open(record));
  EXPECT_FALSE(Open(record));
  EXPECT_EQ(why_, DropReason::kReplayed);
  EXPECT_EQ(receive_->records_opened, 1u);
}

TEST_F(Sealing, LateRecordsOpenWithinTheWindowOnly) {
  const Bytes oldest = Seal({1});
  const Bytes old = Seal({2});
  send_.next_packet = ReplayWindow::kSize;
  ASSERT_TRUE(Open(Seal({3})));
  EXPECT_FALSE(Open(oldest));
  EXPECT_EQ(why_, DropReason::kTooOld);
  EXPECT_EQ(Open(old), Bytes{2});
}

TEST_F(Sealing, FourEpochsOpenSideBySide) {
  std::vector<Bytes> records;
  for (uint32_t epoch = 7; epoch < 11; ++epoch) {
    SwitchSend(epoch);
    InstallReceive(epoch);
    records.push_back(Seal({uint8_t(epoch)}));
  }
  std::reverse(records.begin(), records.end());
  uint8_t epoch = 10;
  for (const Bytes& record : records) {
    ASSERT_EQ(Open(record), Bytes{epoch});
    EXPECT_EQ(header_.epoch, epoch);
    --epoch;
  }
}

TEST_F(Sealing, FifthEpochTakesThePlaceOfTheFirst) {
  const Bytes old = Seal({1});
  InstallReceive(11);
  EXPECT_FALSE(Open(old));
  EXPECT_EQ(why_, DropReason::kUnknownEpoch);
  SwitchSend(11);
  EXPECT_EQ(Open(Seal({2})), Bytes{2});
}

TEST_F(Sealing, EpochNotHeldIsUnknown) {
  SwitchSend(8);
  EXPECT_FALSE(Open(Seal({1})));
  EXPECT_EQ(why_, DropReason::kUnknownEpoch);
  receive_->epochs[7 % kReceiveEpochs].held = false;
  SwitchSend(7);
  EXPECT_FALSE(Open(Seal({1})));
  EXPECT_EQ(why_, DropReason::kUnknownEpoch);
}

TEST_F(Sealing, EpochsBeyondEightBitsAreNamedByTheirLowBits) {
  SwitchSend(256 + 7);
  EXPECT_FALSE(Open(Seal({1})));
  EXPECT_EQ(why_, DropReason::kBadTag);  // read as epoch 7
  InstallReceive(256 + 7);
  EXPECT_EQ(Open(Seal({2})), Bytes{2});
  EXPECT_EQ(header_.epoch, 7);
}

TEST_F(Sealing, WrongKeyIsABadTag) {
  SwitchSend(8);
  send_.epoch = 7;
  EXPECT_FALSE(Open(Seal({1})));
  EXPECT_EQ(why_, DropReason::kBadTag);
  EXPECT_EQ(receive_->window.next(), 0u);
}

TEST_F(Sealing, WrongMaskIsRefused) {
  const Bytes record = Seal(GoldenPlaintext());
  aead_.ExpandMaskKey(KeyOf(kMaskKey, 1), receive_->mask);
  EXPECT_FALSE(Open(record));
  EXPECT_EQ(receive_->window.next(), 0u);
  aead_.ExpandMaskKey(KeyOf(kMaskKey, 0), receive_->mask);
  EXPECT_TRUE(Open(record));
}

// A refused seal writes nothing and takes no number.
void ExpectRefused(const Aead& aead, SendHalf& half) {
  const uint64_t next = half.next_packet;
  Bytes record(wire::kRecordOverhead + 8, 0xee);
  const Bytes before = record;
  EXPECT_FALSE(SealRecord(aead, half, RecordKind::kData, record.data(), 8));
  EXPECT_EQ(record, before);
  EXPECT_EQ(half.next_packet, next);
}

TEST_F(Sealing, EpochEndsAtItsHardLimit) {
  send_.epoch_first_packet = 5;
  send_.next_packet = 5 + kEpochHardLimit - 1;
  Seal({1});
  ExpectRefused(aead_, send_);
  SwitchSend(8);
  InstallReceive(8);
  EXPECT_EQ(Open(Seal({2})), Bytes{2});
}

TEST_F(Sealing, PacketNumbersEnd) {
  send_.next_packet = kMaxPacketNumber;
  send_.epoch_first_packet = kMaxPacketNumber;
  EXPECT_EQ(Open(Seal({1})), Bytes{1});
  EXPECT_EQ(header_.packet_number, kMaxPacketNumber);
  ExpectRefused(aead_, send_);
}

}  // namespace
}  // namespace lwt::session
