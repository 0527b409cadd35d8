// The first byte says which: a JSON file of the Go program, or a command line.
// What it comes to is written as -import does, and has to be good when read.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "control/config/load.h"
#include "control/config/write_toml.h"
#include "control/migrate/convert.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lwt;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1,
                              size - 1);
  const auto old = data[0] == 'f' ? migrate::ReadOldFile(text)
                                  : migrate::ReadOldCommand(text);
  if (!old.ok()) return 0;
  const auto converted = migrate::Convert(*old);
  if (!converted.ok()) return 0;
  if (migrate::Report(*converted).empty() && !old->known.empty()) abort();
  config::Config again;
  std::vector<std::string> warnings;
  const std::string file = config::SampleFile(converted->config, "name");
  if (!config::ApplyToml(file, "again", again).ok()) abort();
  if (!config::Finish(again, warnings).ok()) abort();
  return 0;
}
