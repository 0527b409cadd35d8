// What one operation costs: in TSC cycles behind the gate for noise, or in
// instructions below callgrind, which repeat on any machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace lwt::bench {

// A repetition prepares without being counted, then runs operations that are.
class WorstMeter {
 public:
  virtual ~WorstMeter() = default;
  virtual void Count(const std::function<void()>& body) = 0;
};

// One stage or parser: its common input and the worst one that is known.
struct WorstCase {
  std::string stage;
  std::string common;
  std::string worst;
  // Each runs a repetition and returns how many operations were counted.
  std::function<size_t(WorstMeter&)> run_common;
  std::function<size_t(WorstMeter&)> run_worst;
};

std::vector<WorstCase> InboundCases();  // the way of a frame: parser to FEC
std::vector<WorstCase> RecordCases();   // cut, put together, opened
std::vector<WorstCase> InsideCases();   // a worker's whole loop
std::vector<WorstCase> DoorCases();     // what a hub's control thread reads

}  // namespace lwt::bench
