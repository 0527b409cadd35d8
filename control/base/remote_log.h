// The log of what others cause: peers, and strangers who reach the port.
//
// Whatever they send, the log grows by a bounded amount: each place in the code
// that makes a line lets kBurst of one source through at once and then one
// every kEveryUs, and all sources of a class have a budget in common. What is
// left out is counted and said with the next line, or within kReportUs.
//
// Fixed memory: kSources entries. Control thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/log.h"
#include "control/base/text.h"
#include "drivers/ip_endpoint.h"

namespace lwt::loop {

// Who causes a line, and at which place of the code it is made: lines of one
// place are of one kind. File and line are the caller's by themselves.
class Cause {
 public:
  enum class Class : uint8_t { kStranger, kPeer };

  // Somebody whose identity is not proven; those of a network (/24 or /56)
  // count as one.
  static Cause Stranger(const IpAddress& address,
                        const char* file = __builtin_FILE(),
                        uint32_t line = __builtin_LINE());
  // A peer with a session; `name` is what the log calls it.
  static Cause Peer(std::string_view name, const char* file = __builtin_FILE(),
                    uint32_t line = __builtin_LINE());

  Class source_class() const { return class_; }
  uint64_t key() const { return key_; }

 private:
  Cause(Class source_class, std::string_view source, const char* file,
        uint32_t line);

  Class class_;
  uint64_t key_;
};

// So many at once, then one in an interval.
class LineBudget {
 public:
  LineBudget(uint64_t burst, uint64_t interval_us)
      : burst_us_((burst - 1) * interval_us), interval_us_(interval_us) {}

  [[nodiscard]] bool Has(uint64_t now_us) const {
    return used_until_us_ <= now_us + burst_us_;
  }
  void Take(uint64_t now_us) {
    used_until_us_ = std::max(used_until_us_, now_us) + interval_us_;
  }

 private:
  uint64_t burst_us_;
  uint64_t interval_us_;
  uint64_t used_until_us_ = 0;
};

class RemoteLog {
 public:
  using Clock = std::function<uint64_t()>;  // microseconds, never goes back

  static constexpr uint64_t kBurst = 8;
  static constexpr uint64_t kEveryUs = 10'000'000;
  static constexpr uint64_t kReportUs = 10'000'000;
  // Of all strangers, and of all peers.
  static constexpr uint64_t kStrangersBurst = 64;
  static constexpr uint64_t kStrangersEveryUs = 1'000'000;
  static constexpr uint64_t kPeersBurst = 256;
  static constexpr uint64_t kPeersEveryUs = 100'000;
  static constexpr size_t kSources = 512;
  // Of a line; texts of others may be long.
  static constexpr size_t kMaxText = 400;

  // `log` outlives this one.
  explicit RemoteLog(const Log& log, Clock clock = {});
  RemoteLog(const RemoteLog&) = delete;
  RemoteLog& operator=(const RemoteLog&) = delete;

  template <typename... Parts>
  void Error(const Cause& cause, const Parts&... parts) {
    Write(LogLevel::kError, cause, parts...);
  }
  template <typename... Parts>
  void Warn(const Cause& cause, const Parts&... parts) {
    Write(LogLevel::kWarn, cause, parts...);
  }
  template <typename... Parts>
  void Info(const Cause& cause, const Parts&... parts) {
    Write(LogLevel::kInfo, cause, parts...);
  }
  template <typename... Parts>
  void Debug(const Cause& cause, const Parts&... parts) {
    Write(LogLevel::kDebug, cause, parts...);
  }

  // What stays among the events too, in the same bounds, whatever is shown of
  // the log.
  template <typename... Parts>
  void Tell(LogLevel level, const Cause& cause, EventKind kind,
            const Parts&... parts) {
    WriteIf(level, cause, kind, parts...);
  }

  // Says what was left out and has waited for kReportUs. Cheap; to be called
  // every second or so.
  void Report();

 private:
  struct Source {
    explicit Source(const Cause& cause)
        : key(cause.key()), source_class(cause.source_class()) {}

    uint64_t key;
    Cause::Class source_class;
    LineBudget budget{kBurst, kEveryUs};
    uint64_t used_us = 0;
    uint64_t left_out = 0;
    uint64_t report_at_us = 0;  // while some were left out
    LogLevel level = LogLevel::kInfo;
    std::string example;  // the first of those left out
  };
  struct Total {
    LineBudget budget;
    uint64_t left_out = 0;
    uint64_t report_at_us = 0;
  };

  template <typename... Parts>
  void Write(LogLevel level, const Cause& cause, const Parts&... parts) {
    if (log_.Shows(level)) WriteIf(level, cause, std::nullopt, parts...);
  }
  // Where the bounds leave room.
  template <typename... Parts>
  void WriteIf(LogLevel level, const Cause& cause,
               std::optional<EventKind> kind, const Parts&... parts) {
    const uint64_t now_us = clock_();
    Source* source = Find(cause, now_us);
    if (source == nullptr) return;
    if (MayWrite(*source, now_us)) {
      WriteLine(level, *source, kind, config::Concat(parts...));
    } else if (source->left_out++ == 0) {
      Note(level, *source, config::Concat(parts...), now_us);
    }
  }
  Total& TotalOf(Cause::Class source_class) {
    return totals_[static_cast<size_t>(source_class)];
  }
  // Null, and counted, when the source is new and its class has no line left.
  Source* Find(const Cause& cause, uint64_t now_us);
  Source& Add(const Cause& cause, uint64_t now_us);
  void LeaveOut(Total& total, uint64_t count, uint64_t now_us);
  bool MayWrite(Source& source, uint64_t now_us);
  void WriteLine(LogLevel level, Source& source, std::optional<EventKind> kind,
                 std::string text);
  void Note(LogLevel level, Source& source, std::string text, uint64_t now_us);

  const Log& log_;
  const Clock clock_;
  std::vector<Source> sources_;
  std::array<Total, 2> totals_;
  uint64_t next_report_us_ = UINT64_MAX;
};

}  // namespace lwt::loop
