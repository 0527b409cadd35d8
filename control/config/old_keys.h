// All settings that the Go program ever knew, which this one takes the place
// of: for who brings a file or a command line of it, and for who types one of
// its names here.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace lwt::config {

enum class OldType : uint8_t { kText, kNumber, kBoolean, kList };

struct OldKey {
  std::string_view key;
  std::string_view flag;  // empty: only in files
  OldType type;
  // Whoever gave just this changed nothing.
  std::string_view usual;
  // What became of it, where it has gone; empty where it is taken over.
  std::string_view gone = {};
};

std::span<const OldKey> OldKeys();
const OldKey* FindOldKey(std::string_view key);
const OldKey* FindOldFlag(std::string_view flag);

}  // namespace lwt::config
