#include "control/base/remote_log.h"

#include <time.h>

#include <algorithm>
#include <utility>

namespace lwt::loop {
namespace {

uint64_t MonotonicUs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000 +
         static_cast<uint64_t>(now.tv_nsec) / 1000;
}

std::string_view NameOf(Cause::Class source_class) {
  return source_class == Cause::Class::kStranger ? "strangers" : "peers";
}

std::string Cut(std::string text) {
  if (text.size() <= RemoteLog::kMaxText) return text;
  text.resize(RemoteLog::kMaxText);
  return text + "...";
}

}  // namespace

Cause::Cause(Class source_class, std::string_view source, const char* file,
             uint32_t line)
    : class_(source_class),
      key_(std::hash<std::string_view>()(source) ^
           (reinterpret_cast<uint64_t>(file) + line +
            (static_cast<uint64_t>(source_class) << 62)) *
               0x9e3779b97f4a7c15u) {}

Cause Cause::Stranger(const IpAddress& address, const char* file,
                      uint32_t line) {
  const size_t size = address.family == Family::kIpv4 ? 3 : 7;
  const std::string_view network(
      reinterpret_cast<const char*>(address.bytes.data()), size);
  return {Class::kStranger, network, file, line};
}

Cause Cause::Peer(std::string_view name, const char* file, uint32_t line) {
  return {Class::kPeer, name, file, line};
}

RemoteLog::RemoteLog(const Log& log, Clock clock)
    : log_(log),
      clock_(clock ? std::move(clock) : MonotonicUs),
      totals_{Total{LineBudget(kStrangersBurst, kStrangersEveryUs)},
              Total{LineBudget(kPeersBurst, kPeersEveryUs)}} {
  sources_.reserve(kSources);
}

RemoteLog::Source* RemoteLog::Find(const Cause& cause, uint64_t now_us) {
  const auto found = std::find_if(
      sources_.begin(), sources_.end(),
      [&](const Source& source) { return source.key == cause.key(); });
  Source* source = found == sources_.end() ? nullptr : &*found;
  if (source == nullptr) {
    Total& total = TotalOf(cause.source_class());
    if (!total.budget.Has(now_us)) {
      LeaveOut(total, 1, now_us);
      return nullptr;
    }
    source = &Add(cause, now_us);
  }
  source->used_us = now_us;
  return source;
}

// The one that was quiet longest makes room.
RemoteLog::Source& RemoteLog::Add(const Cause& cause, uint64_t now_us) {
  if (sources_.size() < kSources) return sources_.emplace_back(cause);
  Source& oldest = *std::min_element(
      sources_.begin(), sources_.end(),
      [](const Source& a, const Source& b) { return a.used_us < b.used_us; });
  if (oldest.left_out > 0) {
    LeaveOut(TotalOf(oldest.source_class), oldest.left_out, now_us);
  }
  return oldest = Source(cause);
}

void RemoteLog::LeaveOut(Total& total, uint64_t count, uint64_t now_us) {
  if (total.left_out == 0) {
    total.report_at_us = now_us + kReportUs;
    next_report_us_ = std::min(next_report_us_, total.report_at_us);
  }
  total.left_out += count;
}

bool RemoteLog::MayWrite(Source& source, uint64_t now_us) {
  Total& total = TotalOf(source.source_class);
  if (!source.budget.Has(now_us) || !total.budget.Has(now_us)) return false;
  source.budget.Take(now_us);
  total.budget.Take(now_us);
  return true;
}

void RemoteLog::WriteLine(LogLevel level, Source& source,
                          std::optional<EventKind> kind, std::string text) {
  text = Cut(std::move(text));
  if (const uint64_t left_out = std::exchange(source.left_out, 0)) {
    text += config::Concat(" (", left_out, " more of these were left out)");
  }
  if (kind) {
    log_.Tell(level, *kind, text);
  } else {
    log_.Write(level, text);
  }
}

void RemoteLog::Note(LogLevel level, Source& source, std::string text,
                     uint64_t now_us) {
  source.level = level;
  source.example = Cut(std::move(text));
  source.report_at_us = now_us + kReportUs;
  next_report_us_ = std::min(next_report_us_, source.report_at_us);
}

void RemoteLog::Report() {
  const uint64_t now_us = clock_();
  if (now_us < next_report_us_) return;
  next_report_us_ = UINT64_MAX;
  for (Source& source : sources_) {
    if (source.left_out == 0) continue;
    if (source.report_at_us <= now_us) {
      Total& total = TotalOf(source.source_class);
      const uint64_t left_out = std::exchange(source.left_out, 0);
      if (total.budget.Has(now_us)) {
        total.budget.Take(now_us);
        log_.Write(source.level,
                   config::Concat(left_out, " more of these were left out: ",
                                  source.example));
      } else {
        LeaveOut(total, left_out, now_us);
      }
    } else {
      next_report_us_ = std::min(next_report_us_, source.report_at_us);
    }
  }
  for (const auto source_class :
       {Cause::Class::kStranger, Cause::Class::kPeer}) {
    Total& total = TotalOf(source_class);
    if (total.left_out == 0) continue;
    if (total.report_at_us <= now_us) {
      log_.Info(std::exchange(total.left_out, 0), " more lines about ",
                NameOf(source_class), " were left out");
    } else {
      next_report_us_ = std::min(next_report_us_, total.report_at_us);
    }
  }
}

}  // namespace lwt::loop
