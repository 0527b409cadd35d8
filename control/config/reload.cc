#include "control/config/reload.h"

#include "absl/strings/str_join.h"
#include "control/base/text.h"

namespace lwt::config {
namespace {

Takes TakesOf(const Option& option, const Config& started,
              const Config& wanted) {
  const bool grows =
      option.made_at_start &&
      ValueOf(option, wanted).integer > ValueOf(option, started).integer;
  if (grows) return Takes::kRestart;
  return option.takes;
}

void AddLine(std::string_view what, const std::vector<Change>& changes,
             std::string& text) {
  if (changes.empty()) return;
  text += Concat(what, ": ",
                 absl::StrJoin(changes, ", ",
                               [](std::string* out, const Change& change) {
                                 *out += NameOf(change);
                               }),
                 "\n");
}

}  // namespace

absl::StatusOr<Reloaded> Reload(const Config& started, const Config& in_force,
                                const Config& wanted) {
  Reloaded result;
  result.config = in_force;
  for (const Change& change : Diff(in_force, wanted)) {
    const Option& option = *change.option;
    const bool other_mode = wanted.mode != in_force.mode;
    if (!IsFor(option.applies_to, in_force.mode) ||
        (other_mode && option.toml != "mode")) {
      continue;
    }
    switch (TakesOf(option, started, wanted)) {
      case Takes::kLive:
        result.live.push_back(change);
        break;
      case Takes::kNextConnection:
        result.next_connection.push_back(change);
        break;
      case Takes::kRestart:
        result.restart.push_back(change);
        continue;
    }
    const EntryTable* table = FindEntryTable(TableOf(option));
    if (table != nullptr) {
      table->copy(wanted, result.config);
    } else {
      option.field.copy(wanted, result.config, 0);
    }
  }
  const absl::Status agree = CheckAgreement(result.config);
  if (agree.ok()) return result;
  return absl::FailedPreconditionError(
      Concat("what counts at once does not agree with what waits for a "
             "restart: ",
             agree.message()));
}

std::string Sentences(const Reloaded& reloaded) {
  std::string text;
  AddLine("applied", reloaded.live, text);
  AddLine("waits for the next connection", reloaded.next_connection, text);
  AddLine("waits for a restart", reloaded.restart, text);
  return text.empty() ? "nothing has changed\n" : text;
}

}  // namespace lwt::config
