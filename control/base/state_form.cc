#include "control/base/state_form.h"

#include <absl/strings/str_cat.h>

#include <cstdint>

#include "control/base/files.h"
#include "control/base/text_fields.h"

namespace lwt::host {
namespace {

absl::Status RefuseLaterForm(const std::string& path, std::string_view text,
                             std::string_view own_line) {
  const size_t front = own_line.rfind(' ') + 1;
  std::string_view line = TakeField(text, '\n');
  if (!line.starts_with(own_line.substr(0, front))) return absl::OkStatus();
  uint32_t own = 0;
  uint32_t found = 0;
  if (!ReadNumber(own_line.substr(front), own) ||
      !ReadNumber(line.substr(front), found) || found <= own) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      path, " was written by a later version of lightweight-tunnel: its form ",
      "is ", found, ", and this version reads up to ", own,
      "; run the later version, or move the file away to start without what "
      "it holds"));
}

}  // namespace

absl::StatusOr<std::string> ReadState(const std::string& path,
                                      std::string_view own_line) {
  absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return text;
  const absl::Status known = RefuseLaterForm(path, *text, own_line);
  if (!known.ok()) return known;
  return text;
}

}  // namespace lwt::host
