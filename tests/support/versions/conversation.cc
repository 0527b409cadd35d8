#include "tests/support/versions/conversation.h"

#include "absl/strings/str_cat.h"
#include "control/base/text.h"

namespace lwt::versions {
namespace {

using config::ToAbsl;

struct Step {
  Speaker speaker;
  std::string_view what;
  uint32_t feature = 0;  // without which it is not said
};
constexpr Speaker kC = Speaker::kClient;
constexpr Speaker kH = Speaker::kHub;
// In turns, so that every message acknowledges the one before.
constexpr Step kSteps[] = {
    {kC, "hello"},
    {kH, "hello and message 2"},
    {kC, "message 3"},
    {kH, "verdict"},
    {kC, "packet"},
    {kH, "two packets"},
    {kC, "control: about", handshake::kFeatureAbout},
    {kH, "control: about", handshake::kFeatureAbout},
    {kC, "control: routes", handshake::kFeatureRoutes},
    {kH, "control: routes answer", handshake::kFeatureRoutes},
    {kC, "control: mtu", handshake::kFeatureMtu},
    {kH, "control: new key", handshake::kFeatureRotation},
    {kC, "control: key kept", handshake::kFeatureRotation},
    {kH, "control: notice"},
    {kC, "control: acknowledgement"},
    {kH, "control: rekey request"},
    {kC, "control: rekey offer"},
    {kH, "control: rekey answer"},
    {kC, "control: rekey done"},
    {kH, "control: acknowledgement"},
    {kC, "packet"},
    {kH, "two packets"},
    {kC, "lane join"},
    {kH, "lane join answer"},
    {kC, "packet on the second lane"},
    {kH, "packet on the second lane"},
    {kC, "report"},
    {kH, "report"},
    {kC, "probe"},
    {kH, "close"},
};

std::string At(const Spoken& spoken, absl::string_view sentence) {
  return absl::StrCat("the ", ToAbsl(NameOf(spoken.speaker)), "'s \"",
                      spoken.what, "\" ", sentence);
}

}  // namespace

Tape Record(std::string version, uint32_t features) {
  ClientEnd client(version, features);
  HubEnd hub(version, features);
  Tape tape{.version = std::move(version), .features = features, .spoken = {}};
  for (const Step& step : kSteps) {
    if ((features & step.feature) != step.feature) continue;
    const bool by_client = step.speaker == Speaker::kClient;
    End& speaker = by_client ? static_cast<End&>(client) : hub;
    End& listener = by_client ? static_cast<End&>(hub) : client;
    tape.spoken.push_back(
        {step.speaker, std::string(step.what), speaker.Say(step.what)});
    // A tape without an end says that this version does not know its own words.
    if (!listener.Hear(step.what, tape.spoken.back().bytes)) break;
  }
  return tape;
}

std::string Replay(const Tape& tape, Speaker live) {
  ClientEnd client(tape.version, tape.features);
  HubEnd hub(tape.version, tape.features);
  End& end = live == Speaker::kClient ? static_cast<End&>(client) : hub;
  for (const Spoken& spoken : tape.spoken) {
    if (spoken.speaker != live) {
      if (!end.Hear(spoken.what, spoken.bytes)) {
        return At(spoken, "is no longer understood");
      }
    } else if (end.Say(spoken.what) != spoken.bytes) {
      return At(spoken, "is another now");
    }
  }
  return tape.spoken.empty() || tape.spoken.back().what != "close"
             ? "the tape has no end"
             : "";
}

}  // namespace lwt::versions
