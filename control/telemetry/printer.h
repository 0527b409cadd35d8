// What a status consists of, one thing after the other, for whoever prints it
// whole: as JSON today. A printer knows texts, flags and numbers, not what they
// are of, so that one more number, or one more printer, changes nothing else.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "control/telemetry/status.h"

namespace lwt::telemetry {

class Printer {
 public:
  virtual ~Printer() = default;

  virtual void Text(std::string_view key, std::string_view text) = 0;
  virtual void Texts(std::string_view key,
                     const std::vector<std::string>& texts) = 0;
  virtual void Flag(std::string_view key, bool flag) = 0;
  // A number that names something, as a process.
  virtual void Id(std::string_view key, uint64_t number) = 0;
  // `name` is what this number of the metric goes by here. kNoValue: none yet.
  virtual void Number(std::string_view name, const Metric& metric,
                      uint64_t value) = 0;
  // What comes until the end lies inside. Objects of a list have no key.
  virtual void BeginObject(std::string_view key) = 0;
  virtual void EndObject() = 0;
  virtual void BeginList(std::string_view key) = 0;
  virtual void EndList() = 0;
};

void Print(const Status& status, Printer& printer);
void PrintPeers(const Status& status, Printer& printer);
void PrintRoutes(const Status& status, Printer& printer);

}  // namespace lwt::telemetry
