// The journal's form: text to entries and back.
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "control/base/text_fields.h"
#include "control/host/instance/journal.h"

namespace lwt::host {
namespace {

// Of an interface (IFNAMSIZ - 1) and of a feature (ETH_GSTRING_LEN - 1).
constexpr size_t kMaxInterface = 15;
constexpr size_t kMaxFeature = 31;
// More than any gateway writes; bounds what a hostile file makes us hold.
constexpr size_t kMaxEntries = 1024;

// The kernel allows any byte in a name but '/', ':' and white space.
bool IsName(std::string_view text, size_t max) {
  return !text.empty() && text.size() <= max &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return static_cast<unsigned char>(c) > ' ' && c != '/' &&
                  c != '\x7f';
         });
}

std::optional<HostChange> ParseLine(std::string_view line) {
  HostChange change;
  const std::string_view kind = TakeField(line, ' ');
  if (!ReadNumber(TakeField(line, ' '), change.netns) ||
      !ReadNumber(TakeField(line, ' '), change.ifindex) ||
      change.ifindex <= 0) {
    return std::nullopt;
  }
  const std::string_view interface = TakeField(line, ' ');
  if (!IsName(interface, kMaxInterface)) return std::nullopt;
  change.interface = interface;
  if (kind == "xdp") {
    change.kind = HostChange::Kind::kXdp;
    if (!ReadNumber(line, change.program_id)) return std::nullopt;
    return change;
  }
  const std::string_view feature = TakeField(line, ' ');
  if (kind != "feature" || !IsName(feature, kMaxFeature) ||
      (line != "on" && line != "off")) {
    return std::nullopt;
  }
  change.feature = feature;
  change.was_on = line == "on";
  return change;
}

std::string FormatLine(const HostChange& change) {
  const bool xdp = change.kind == HostChange::Kind::kXdp;
  const std::string front =
      absl::StrCat(xdp ? "xdp " : "feature ", change.netns, " ", change.ifindex,
                   " ", change.interface, " ");
  if (xdp) return absl::StrCat(front, change.program_id, "\n");
  return absl::StrCat(front, change.feature,
                      change.was_on ? " on\n" : " off\n");
}

}  // namespace

bool HostChange::SameObject(const HostChange& other) const {
  return kind == other.kind && netns == other.netns &&
         ifindex == other.ifindex && feature == other.feature;
}

std::optional<std::vector<HostChange>> ParseJournal(std::string_view text) {
  if (TakeField(text, '\n') != kJournalForm) return std::nullopt;
  std::vector<HostChange> changes;
  while (!text.empty()) {
    auto change = ParseLine(TakeField(text, '\n'));
    if (!change || changes.size() == kMaxEntries) return std::nullopt;
    changes.push_back(*std::move(change));
  }
  return changes;
}

std::string FormatJournal(const std::vector<HostChange>& changes) {
  std::string text(kJournalForm);
  text += '\n';
  for (const HostChange& change : changes) text += FormatLine(change);
  return text;
}

}  // namespace lwt::host
