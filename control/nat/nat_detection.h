// How the NAT in front of a host treats it (RFC 4787 §4, §5), found out by
// asking a hub (RFC 5780 §4.3, §4.4), without a socket.
//
// Filtering is asked first, each of both from a local port of its own: whoever
// spoke to a place from a port is let in from there, and what asks about the
// mapping speaks to them all. Each question is asked three times at most. With
// one address of the hub, what depends on the address alone cannot be told from
// what depends on nothing. Control thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "control/nat/stun.h"

namespace lwt::nat {

// What a mapping, or what may come in by it, depends on of the remote's place.
enum class Dependence : uint8_t {
  kUnknown,
  kNothing,
  kAddress,
  kAddressAndPort
};
std::string_view NameOf(Dependence dependence);  // "endpoint-independent", ...

struct NatVerdict {
  bool answered = false;    // by the hub, at all
  bool translated = false;  // its address or port is another outside
  bool by_one_address = false;
  Endpoint reflexive;  // outside, of the port that asked first
  Dependence mapping = Dependence::kUnknown;
  Dependence filtering = Dependence::kUnknown;
};
// As people name it since RFC 3489: "full cone", "symmetric", ...
std::string_view ClassicName(const NatVerdict& verdict);
// One line for people.
std::string Describe(const NatVerdict& verdict);

class NatDetection {
 public:
  static constexpr size_t kSockets = 2;
  static constexpr int kTries = 3;
  static constexpr uint64_t kTryUs = 500'000;  // that each has for an answer
  static constexpr uint64_t kNever = UINT64_MAX;

  struct Config {
    Endpoint server;
    std::array<Endpoint, kSockets> local;
    handshake::SecretKey key;  // StunKeyOf
    handshake::RandomSource random = handshake::RandomBytes;
  };
  struct Question {
    size_t socket = 0;
    Endpoint to;
    handshake::ByteVector bytes;
  };

  explicit NatDetection(Config config) : config_(std::move(config)) {}

  // What is to be sent now.
  std::optional<Question> Next(uint64_t now_us);
  void OnDatagram(size_t socket, const Endpoint& from,
                  handshake::ByteSpan bytes);
  uint64_t NextDeadline() const { return done() ? kNever : deadline_us_; }
  bool done() const { return step_ == Step::kDone; }
  const NatVerdict& verdict() const { return verdict_; }

 private:
  enum class Step : uint8_t {
    kReach,         // whether the hub answers
    kFilterAll,     // from where nobody was spoken to
    kFilterPort,    // from another port of who was spoken to
    kMap,           // from a fresh port
    kMapElsewhere,  // what it is to another place
    kMapOtherPort,  // and to another port of that
    kDone,
  };

  size_t Socket() const { return step_ >= Step::kMap ? 1 : 0; }
  bool ChangesAddress() const {
    return step_ == Step::kFilterAll && other_.has_value();
  }
  bool ChangesPort() const {
    return step_ == Step::kFilterAll || step_ == Step::kFilterPort;
  }
  Endpoint AskedAt() const;
  Endpoint AnsweredFrom() const;
  void Enter(Step step);
  void OnAnswer(const StunMessage& answer);
  void OnSilence();

  const Config config_;
  Step step_ = Step::kReach;
  int tries_ = 0;
  uint64_t deadline_us_ = 0;
  TransactionId id_{};
  std::optional<Endpoint> other_;  // OTHER-ADDRESS
  Endpoint mapped_;                // of the second port, to the hub
  Endpoint mapped_elsewhere_;
  NatVerdict verdict_;
};

}  // namespace lwt::nat
