// Values into the settings by a row of the table, and out of them again.
#include <charconv>

#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "control/base/text.h"
#include "control/config/nearest_name.h"
#include "control/config/options.h"
#include "control/config/values.h"

namespace lwt::config {
namespace {

absl::Status ReadInteger(std::string_view text, Value& value) {
  const char* end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, value.integer);
  if (error == std::errc() && stop == end) return absl::OkStatus();
  return Invalid(Quoted(text), " is not a whole number");
}

absl::Status ReadBoolean(std::string_view text, Value& value) {
  value.boolean = text == "true";
  if (value.boolean || text == "false") return absl::OkStatus();
  return Invalid(Quoted(text), " is neither true nor false");
}

void ReadList(std::string_view text, Value& value) {
  for (absl::string_view part : absl::StrSplit(ToAbsl(text), ',')) {
    value.list.emplace_back(absl::StripAsciiWhitespace(part));
  }
}

std::vector<std::string_view> ChoicesOf(const Option& option) {
  std::vector<std::string_view> names;
  for (absl::string_view name :
       absl::StrSplit(ToAbsl(option.value_name), '|')) {
    names.push_back(ToStd(name));
  }
  return names;
}

absl::Status FindChoice(const Option& option, Value& value) {
  const std::vector<std::string_view> names = ChoicesOf(option);
  for (size_t i = 0; i < names.size(); ++i) {
    value.integer = static_cast<int64_t>(i);
    if (names[i] == value.text) return absl::OkStatus();
  }
  std::string_view near = NearestName(value.text, names);
  return Invalid(
      Quoted(value.text), " is none of ",
      absl::StrReplaceAll(ToAbsl(option.value_name), {{"|", ", "}}),
      near.empty() ? "" : Concat(" (did you mean ", Quoted(near), "?)"));
}

// A basic string (TOML 1.0, "String").
std::string TomlString(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      constexpr char kDigits[] = "0123456789abcdef";
      out += "\\u00";
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

}  // namespace

absl::Status Apply(const Option& option, const Value& value, Config& config,
                   size_t entry) {
  if (option.field.type == ValueType::kInteger &&
      (value.integer < option.min || value.integer > option.max)) {
    return Invalid(value.integer, " is not between ", option.min, " and ",
                   option.max);
  }
  if (option.field.type == ValueType::kChoice) {
    Value chosen = value;
    absl::Status status = FindChoice(option, chosen);
    return status.ok() ? option.field.set(chosen, config, entry) : status;
  }
  return option.field.set(value, config, entry);
}

absl::Status ApplyText(const Option& option, std::string_view text,
                       Config& config, size_t entry) {
  Value value;
  absl::Status status;
  switch (option.field.type) {
    case ValueType::kText:
    case ValueType::kRate:
    case ValueType::kChoice:
      value.text = std::string(text);
      break;
    case ValueType::kInteger:
      status = ReadInteger(text, value);
      break;
    case ValueType::kBoolean:
      status = ReadBoolean(text, value);
      break;
    case ValueType::kList:
      ReadList(text, value);
      break;
  }
  return status.ok() ? Apply(option, value, config, entry) : status;
}

Value ValueOf(const Option& option, const Config& config, size_t entry) {
  Value value = option.field.get(config, entry);
  if (option.field.type == ValueType::kChoice && value.integer >= 0) {
    value.text = ChoicesOf(option)[static_cast<size_t>(value.integer)];
  }
  return value;
}

bool IsUnset(const Option& option, const Value& value) {
  switch (option.field.type) {
    case ValueType::kText:
    case ValueType::kRate:
    case ValueType::kChoice:
      return value.text.empty();
    case ValueType::kList:
      return value.list.empty();
    case ValueType::kInteger:
    case ValueType::kBoolean:
      break;
  }
  return false;
}

std::string FlagText(const Option& option, const Value& value) {
  switch (option.field.type) {
    case ValueType::kText:
    case ValueType::kRate:
    case ValueType::kChoice:
      return value.text;
    case ValueType::kInteger:
      return Concat(value.integer);
    case ValueType::kBoolean:
      return value.boolean ? "true" : "false";
    case ValueType::kList:
      return absl::StrJoin(value.list, ",");
  }
  return "";
}

std::string TomlText(const Option& option, const Value& value) {
  switch (option.field.type) {
    case ValueType::kInteger:
    case ValueType::kBoolean:
      return FlagText(option, value);
    case ValueType::kText:
    case ValueType::kRate:
    case ValueType::kChoice:
      return TomlString(value.text);
    case ValueType::kList:
      break;
  }
  std::string text;
  for (const std::string& item : value.list) {
    text += Concat(text.empty() ? "" : ", ", TomlString(item));
  }
  return Concat("[", text, "]");
}

std::string DefaultText(const Option& option) {
  if (!option.default_text.empty()) return std::string(option.default_text);
  // An entry of a table has no defaults: all its keys are needed.
  if (FindEntryTable(TableOf(option)) != nullptr) return "";
  return FlagText(option, ValueOf(option, Config{}));
}

}  // namespace lwt::config
