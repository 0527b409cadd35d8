// What happened to this gateway lately: the log's line about it and `lwtctl
// events` are printed from one struct.
//
// The last kEvents of them; an older one is forgotten. Control thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "control/base/log_level.h"

namespace lwt::loop {

enum class EventKind : uint8_t {
  kPeerUp,
  kPeerDown,
  kPeerRefused,  // a client, or a prober
  kPath,         // another flow, silence on one, another MTU, another uplink
  kRotation,     // of the shared key
  kRoute,        // networks accepted, refused, withdrawn
  kDrops,        // many of one reason
};
// "peer-up"
std::string_view NameOf(EventKind kind);

struct Event {
  uint64_t unix_ms = 0;
  LogLevel level = LogLevel::kInfo;
  EventKind kind = EventKind::kPeerUp;
  std::string text;  // one line, without its end
};

// "2026-12-01T04:30:54.123Z peer-up client 10.0.0.2 up: …" and a line feed.
std::string LineOf(const Event& event);
// RFC 3339, of UTC.
std::string TimeText(uint64_t unix_ms);
// Texts of others must not forge lines of their own.
std::string OneLine(std::string text);

class EventRing {
 public:
  static constexpr size_t kEvents = 1024;
  // Of a text: the lines of all of them are less than who follows may leave
  // untaken (ApiServer::kMostWaiting).
  static constexpr size_t kMaxText = 800;

  // The one that was kept, without what would not fit into a line.
  const Event& Add(Event event);
  // The lines of all that are kept, the oldest first.
  std::string Text() const;
  // Called with each that is added, until another is set.
  void SetListener(std::function<void(const Event&)> listener) {
    listener_ = std::move(listener);
  }
  uint64_t count() const { return count_; }

 private:
  std::array<Event, kEvents> events_;
  uint64_t count_ = 0;  // of all that were added
  std::function<void(const Event&)> listener_;
};

}  // namespace lwt::loop
