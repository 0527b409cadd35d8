// The only translation unit that reads JSON.
#include <rapidjson/document.h>
#include <rapidjson/error/en.h>

#include <cstddef>

#include "absl/strings/ascii.h"
#include "control/base/text.h"
#include "control/config/values.h"
#include "control/migrate/old_settings.h"

namespace lwt::migrate {
namespace {

using config::Concat;
using config::Invalid;
using config::Quoted;
using config::ToAbsl;

std::string_view Describe(OldType type) {
  switch (type) {
    case OldType::kText:
      return "a text";
    case OldType::kNumber:
      return "a whole number";
    case OldType::kBoolean:
      return "true or false";
    case OldType::kList:
      return "a list of texts";
  }
  return "";
}

std::string TextOf(const rapidjson::Value& value) {
  return {value.GetString(), value.GetStringLength()};
}

// False where the value is of another type.
bool ReadValue(OldType type, const rapidjson::Value& from, OldValue& value) {
  switch (type) {
    case OldType::kText:
      if (!from.IsString()) return false;
      value.text = TextOf(from);
      return true;
    case OldType::kNumber:
      if (!from.IsInt64()) return false;
      value.text = Concat(from.GetInt64());
      return true;
    case OldType::kBoolean:
      if (!from.IsBool()) return false;
      value.text = from.GetBool() ? "true" : "false";
      return true;
    case OldType::kList:
      if (!from.IsArray()) return false;
      for (const rapidjson::Value& item : from.GetArray()) {
        if (!item.IsString()) return false;
        value.list.push_back(TextOf(item));
      }
      return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<OldSettings> ReadOldFile(std::string_view json) {
  rapidjson::Document document;
  // Without recursion, however deep the brackets are.
  document.Parse<rapidjson::kParseIterativeFlag>(json.data(), json.size());
  if (document.HasParseError()) {
    return Invalid("no JSON at byte ", document.GetErrorOffset(), ": ",
                   rapidjson::GetParseError_En(document.GetParseError()));
  }
  if (!document.IsObject()) {
    return Invalid("no settings: the file holds no JSON object");
  }
  OldSettings settings;
  // By number: comparing its iterators is ambiguous in C++20.
  const auto count = static_cast<std::ptrdiff_t>(document.MemberCount());
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    const auto& member = *(document.MemberBegin() + i);
    const std::string name = TextOf(member.name);
    const std::string key = absl::AsciiStrToLower(ToAbsl(name));
    const OldKey* old = FindOldKey(key);
    if (old == nullptr) {
      settings.unknown.push_back(name);
      continue;
    }
    // Go leaves a member as it is for null, and takes the last of several.
    if (member.value.IsNull()) continue;
    OldValue value;
    if (!ReadValue(old->type, member.value, value)) {
      return Invalid(Quoted(name), " is not ", Describe(old->type));
    }
    settings.known[key] = std::move(value);
  }
  return settings;
}

}  // namespace lwt::migrate
