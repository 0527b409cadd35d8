// Small files of /proc and /sys, and the numbers in them. Their content is not
// trusted. For start-up.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lwt {

// At most the first 64 KiB of a file; empty when it cannot be read.
std::string ReadTextFile(const std::string& path);

// The text without spaces, tabs and newlines around it.
std::string_view Trim(std::string_view text);

// A whole number and nothing else but white space around it. Empty on any
// other text and on overflow.
std::optional<uint64_t> ParseNumber(std::string_view text, int base = 10);

// What follows "name:" on the first line that begins so, trimmed.
std::optional<std::string_view> FindField(std::string_view text,
                                          std::string_view name);

}  // namespace lwt
