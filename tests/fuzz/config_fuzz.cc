// Any bytes as a TOML file, then, cut at line feeds, as a command line. What
// was read is written and read again, which must not change it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "control/config/command_line.h"
#include "control/config/diff.h"
#include "control/config/load.h"
#include "control/config/networks.h"
#include "control/config/write_toml.h"

namespace {

// The daemon wipes the key from its own arguments: from a copy here.
void HideKeyOf(const std::vector<const char*>& arguments) {
  std::vector<std::string> words = {"lightweight-tunnel"};
  for (const char* argument : arguments) words.emplace_back(argument);
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  lwt::config::HideKey(static_cast<int>(pointers.size()), pointers.data());
  for (size_t i = 0; i < arguments.size(); ++i) {
    // What is left of a word is how it began.
    const std::string_view left = words[i + 1].c_str();
    if (!std::string_view(arguments[i]).starts_with(left)) abort();
  }
}

// The settings of `config` as -print-config tells them make it again, except
// for the key, which is hidden, and for settings of the other side.
void WriteAndReadAgain(const lwt::config::Config& config,
                       const lwt::config::Origins& origins) {
  using namespace lwt::config;
  Config again;
  if (!ApplyToml(SettingsInForce(config, origins), "again", again).ok()) {
    abort();
  }
  for (const Change& change : Diff(config, again)) {
    const bool told = IsFor(change.option->applies_to, config.mode);
    if (told && !change.option->secret) abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  lwt::config::Config config;
  lwt::config::Origins origins;
  if (lwt::config::ApplyToml(text, "input", config, &origins).ok()) {
    WriteAndReadAgain(config, origins);
  }
  std::vector<std::string> faults;
  lwt::config::CheckNetworks(config, faults);

  std::vector<const char*> arguments;
  for (size_t start = 0; start < text.size();) {
    arguments.push_back(&text[start]);
    size_t end = text.find('\n', start);
    if (end == std::string::npos) break;
    text[end] = '\0';
    start = end + 1;
  }
  HideKeyOf(arguments);
  auto line = lwt::config::ParseCommandLine(arguments);
  if (!line.ok()) return 0;
  // No file of this host: its content would make runs differ.
  line->config_file.clear();
  (void)lwt::config::LoadConfig(*line, false);
  return 0;
}
