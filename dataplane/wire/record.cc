#include "dataplane/wire/record.h"

#include <algorithm>
#include <cstring>

namespace lwt::wire {
namespace {

constexpr uint8_t kReportWantsAnswer = 1;
constexpr uint8_t kReportIsAnswer = 2;
constexpr uint8_t kReportLineFull = 4;

}  // namespace

bool MayBeginRecord(std::span<const uint8_t> stream) {
  if (stream.size() >= kRecordFraming) return RecordSize(stream).has_value();
  constexpr uint8_t kBegin[] = {kRecordFirstByte, kVersionByte, kVersionByte};
  const size_t known = std::min(stream.size(), sizeof(kBegin));
  return std::equal(kBegin, kBegin + known, stream.begin()) &&
         (stream.size() < 4 || stream[3] <= kMaxRecordLength >> 8);
}

void WriteReport(const Report& report, uint8_t* out) {
  std::memset(out, 0, Report::kSize);
  if (report.wants_answer) out[0] |= kReportWantsAnswer;
  if (report.is_answer) out[0] |= kReportIsAnswer;
  if (report.line_full) out[0] |= kReportLineFull;
  StoreBe32(out + 4, report.token);
  StoreBe64(out + 8, report.forward_point);
  StoreBe64(out + 16, report.highest_packet);
  StoreBe64(out + 24, report.records_received);
  StoreBe64(out + 32, report.records_lost);
  StoreBe64(out + 40, report.loss_bursts);
  StoreBe64(out + 48, report.shards_repaired);
  StoreBe64(out + 56, report.shards_unrepaired);
}

std::optional<Report> ReadReport(std::span<const uint8_t> bytes) {
  if (bytes.size() < Report::kSize) return std::nullopt;
  Report report;
  report.wants_answer = (bytes[0] & kReportWantsAnswer) != 0;
  report.is_answer = (bytes[0] & kReportIsAnswer) != 0;
  report.line_full = (bytes[0] & kReportLineFull) != 0;
  report.token = LoadBe32(&bytes[4]);
  report.forward_point = LoadBe64(&bytes[8]);
  report.highest_packet = LoadBe64(&bytes[16]);
  report.records_received = LoadBe64(&bytes[24]);
  report.records_lost = LoadBe64(&bytes[32]);
  report.loss_bursts = LoadBe64(&bytes[40]);
  report.shards_repaired = LoadBe64(&bytes[48]);
  report.shards_unrepaired = LoadBe64(&bytes[56]);
  return report;
}

}  // namespace lwt::wire
