#include "control/base/events.h"

#include <time.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"

namespace lwt::loop {

std::string_view NameOf(EventKind kind) {
  switch (kind) {
    case EventKind::kPeerUp:
      return "peer-up";
    case EventKind::kPeerDown:
      return "peer-down";
    case EventKind::kPeerRefused:
      return "peer-refused";
    case EventKind::kPath:
      return "path";
    case EventKind::kRotation:
      return "rotation";
    case EventKind::kRoute:
      return "route";
    case EventKind::kDrops:
      return "drops";
  }
  return "?";
}

std::string TimeText(uint64_t unix_ms) {
  const auto seconds = static_cast<time_t>(unix_ms / 1000);
  tm parts{};
  gmtime_r(&seconds, &parts);
  return absl::StrFormat("%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                         parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                         parts.tm_hour, parts.tm_min, parts.tm_sec,
                         static_cast<int>(unix_ms % 1000));
}

std::string OneLine(std::string text) {
  std::replace_if(
      text.begin(), text.end(),
      [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; },
      ' ');
  return text;
}

std::string LineOf(const Event& event) {
  std::string line = TimeText(event.unix_ms);
  line.append(" ").append(NameOf(event.kind)).append(" ");
  return line.append(event.text).append("\n");
}

const Event& EventRing::Add(Event event) {
  event.text = OneLine(std::move(event.text));
  if (event.text.size() > kMaxText) event.text.resize(kMaxText);
  Event& kept = events_[count_++ % kEvents];
  kept = std::move(event);
  if (listener_) listener_(kept);
  return kept;
}

std::string EventRing::Text() const {
  std::string text;
  for (uint64_t i = count_ > kEvents ? count_ - kEvents : 0; i < count_; ++i) {
    text += LineOf(events_[i % kEvents]);
  }
  return text;
}

}  // namespace lwt::loop
