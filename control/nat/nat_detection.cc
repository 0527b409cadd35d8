#include "control/nat/nat_detection.h"

#include "control/base/text.h"

namespace lwt::nat {

std::string_view NameOf(Dependence dependence) {
  switch (dependence) {
    case Dependence::kUnknown:
      return "unknown";
    case Dependence::kNothing:
      return "endpoint-independent";
    case Dependence::kAddress:
      return "address-dependent";
    case Dependence::kAddressAndPort:
      return "address-and-port-dependent";
  }
  return "";
}

std::string_view ClassicName(const NatVerdict& verdict) {
  if (!verdict.answered) return "unknown";
  if (!verdict.translated) {
    return verdict.filtering == Dependence::kNothing ||
                   (verdict.by_one_address &&
                    verdict.filtering == Dependence::kAddress)
               ? "none"
               : "firewall";
  }
  if (verdict.mapping == Dependence::kUnknown) return "unknown";
  if (verdict.mapping != Dependence::kNothing) return "symmetric";
  switch (verdict.filtering) {
    case Dependence::kNothing:
      return "full cone";
    case Dependence::kAddress:
      return "restricted cone";
    case Dependence::kAddressAndPort:
      return "port-restricted cone";
    case Dependence::kUnknown:
      break;
  }
  return "unknown";
}

std::string Describe(const NatVerdict& verdict) {
  if (!verdict.answered) {
    return "the hub does not answer by UDP: its stun is off, or something "
           "between drops UDP";
  }
  const std::string_view name = ClassicName(verdict);
  if (name == "none") return "none";
  return config::Concat(
      name, ": mapping ", NameOf(verdict.mapping), ", filtering ",
      NameOf(verdict.filtering), ", outside ", ToString(verdict.reflexive),
      verdict.by_one_address
          ? " (asked of one address: what depends on the address alone is not "
            "told apart)"
          : "");
}

Endpoint NatDetection::AskedAt() const {
  Endpoint to = config_.server;
  if (step_ == Step::kMapElsewhere) {
    if (other_) {
      to.address = other_->address;
    } else {
      ++to.port;
    }
  }
  if (step_ == Step::kMapOtherPort) to = *other_;
  return to;
}

Endpoint NatDetection::AnsweredFrom() const {
  Endpoint from = AskedAt();
  if (ChangesAddress()) return *other_;
  if (ChangesPort()) from.port = other_ ? other_->port : from.port + 1;
  return from;
}

std::optional<NatDetection::Question> NatDetection::Next(uint64_t now_us) {
  if (done() || now_us < deadline_us_) return std::nullopt;
  if (tries_ == kTries) OnSilence();
  if (done()) return std::nullopt;
  // One id for all tries: a late answer to the first is as good.
  if (tries_ == 0) config_.random(id_);
  ++tries_;
  deadline_us_ = now_us + kTryUs;
  const StunMessage request{.id = id_,
                            .change_address = ChangesAddress(),
                            .change_port = ChangesPort()};
  return Question{Socket(), AskedAt(), FormatStun(request, &config_.key)};
}

void NatDetection::OnDatagram(size_t socket, const Endpoint& from,
                              handshake::ByteSpan bytes) {
  if (done() || tries_ == 0 || socket != Socket()) return;
  const std::optional<StunMessage> answer = ParseStun(bytes);
  if (!answer || answer->id != id_ ||
      !IsProvenBy(config_.key, *answer, bytes)) {
    return;
  }
  if (answer->kind == StunKind::kError) return OnSilence();
  if (answer->kind != StunKind::kSuccess || !answer->mapped ||
      from != AnsweredFrom()) {
    return;
  }
  OnAnswer(*answer);
}

// The next question is due at once.
void NatDetection::Enter(Step step) {
  step_ = step;
  tries_ = 0;
  deadline_us_ = 0;
}

void NatDetection::OnAnswer(const StunMessage& answer) {
  switch (step_) {
    case Step::kReach:
      verdict_.answered = true;
      verdict_.reflexive = *answer.mapped;
      verdict_.translated = *answer.mapped != config_.local[0];
      other_ = answer.other;
      verdict_.by_one_address = !other_;
      return Enter(Step::kFilterAll);
    case Step::kFilterAll:
      verdict_.filtering = other_ ? Dependence::kNothing : Dependence::kAddress;
      return Enter(Step::kMap);
    case Step::kFilterPort:
      verdict_.filtering = Dependence::kAddress;
      return Enter(Step::kMap);
    case Step::kMap:
      mapped_ = *answer.mapped;
      return Enter(Step::kMapElsewhere);
    case Step::kMapElsewhere:
      mapped_elsewhere_ = *answer.mapped;
      if (mapped_elsewhere_ == mapped_) {
        verdict_.mapping = Dependence::kNothing;
        return Enter(Step::kDone);
      }
      if (!other_) {
        verdict_.mapping = Dependence::kAddressAndPort;
        return Enter(Step::kDone);
      }
      return Enter(Step::kMapOtherPort);
    case Step::kMapOtherPort:
      verdict_.mapping = *answer.mapped == mapped_elsewhere_
                             ? Dependence::kAddress
                             : Dependence::kAddressAndPort;
      return Enter(Step::kDone);
    case Step::kDone:
      return;
  }
}

void NatDetection::OnSilence() {
  switch (step_) {
    case Step::kFilterAll:
      if (other_) return Enter(Step::kFilterPort);
      [[fallthrough]];
    case Step::kFilterPort:
      verdict_.filtering = Dependence::kAddressAndPort;
      return Enter(Step::kMap);
    default:
      return Enter(Step::kDone);
  }
}

}  // namespace lwt::nat
