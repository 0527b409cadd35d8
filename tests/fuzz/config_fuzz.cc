// Any bytes as a TOML file, then, cut at line feeds, as a command line.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "control/config/command_line.h"
#include "control/config/load.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  lwt::config::Config config;
  (void)lwt::config::ApplyToml(text, "input", config);

  std::vector<const char*> arguments;
  for (size_t start = 0; start < text.size();) {
    arguments.push_back(&text[start]);
    size_t end = text.find('\n', start);
    if (end == std::string::npos) break;
    text[end] = '\0';
    start = end + 1;
  }
  auto line = lwt::config::ParseCommandLine(arguments);
  if (!line.ok()) return 0;
  // No file of this host: its content would make runs differ.
  line->config_file.clear();
  (void)lwt::config::LoadConfig(*line, false);
  return 0;
}
