// The only translation unit that includes toml++: its package builds a shared
// library with exceptions, so the whole of it is compiled here without.
#undef TOML_HEADER_ONLY
#undef TOML_SHARED_LIB
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
// Some assertions of toml++ 3.3 speak of the input ("[" and a line end before
// a key), and the branch behind each reports the fault: no reason to abort.
#define TOML_ASSERT(expression) static_assert(true)
#include <toml++/toml.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_join.h"
#include "control/base/text.h"
#include "control/config/load.h"
#include "control/config/old_keys.h"
#include "control/config/values.h"

namespace lwt::config {
namespace {

std::string_view Describe(ValueType type) {
  switch (type) {
    case ValueType::kText:
    case ValueType::kChoice:
      return "text in quotes";
    case ValueType::kRate:
      return "a rate in quotes, such as \"50M\", or a whole number";
    case ValueType::kInteger:
      return "a whole number without quotes";
    case ValueType::kBoolean:
      return "true or false without quotes";
    case ValueType::kList:
      return "a list of texts in quotes: [\"…\", \"…\"]";
  }
  return "";
}

// The node's value if it has the option's type.
bool ReadNode(const toml::node& node, ValueType type, Value& value) {
  switch (type) {
    case ValueType::kRate:
      if (const auto* integer = node.as_integer()) {
        value.text = Concat(integer->get());
        return true;
      }
      [[fallthrough]];
    case ValueType::kText:
    case ValueType::kChoice:
      if (const auto* text = node.as_string()) {
        value.text = text->get();
        return true;
      }
      return false;
    case ValueType::kInteger:
      if (const auto* integer = node.as_integer()) {
        value.integer = integer->get();
        return true;
      }
      return false;
    case ValueType::kBoolean:
      if (const auto* boolean = node.as_boolean()) {
        value.boolean = boolean->get();
        return true;
      }
      return false;
    case ValueType::kList:
      return false;  // VisitList
  }
  return false;
}

// Walks the two levels that the file has; collects every fault.
class Walker {
 public:
  Walker(std::string_view file, Config& config, Origins* origins)
      : file_(file), config_(config), origins_(origins) {}

  void Walk(const toml::table& table) {
    for (const auto& [key, node] : table) {
      std::string name(key.str());
      if (const EntryTable* entries = FindEntryTable(name)) {
        VisitEntries(*entries, key, node);
      } else if (IsTable(name)) {
        VisitTable(key, node, name);
      } else {
        VisitKey(key, node, "", 0);
      }
    }
  }

  // The faults in the order of the file, whatever order the tables keep.
  absl::Status Result() {
    if (faults_.empty()) return absl::OkStatus();
    std::sort(faults_.begin(), faults_.end());
    std::vector<std::string> lines;
    for (const Fault& fault : faults_) lines.push_back(fault.line);
    return absl::InvalidArgumentError(absl::StrJoin(lines, "\n"));
  }

  void AddFault(const toml::source_position& where, std::string_view sentence) {
    uint32_t line = where.line;
    uint32_t column = where.column;
    faults_.push_back(
        {line, column, Concat(file_, ":", line, ":", column, ": ", sentence)});
  }

 private:
  struct Fault {
    uint32_t row;
    uint32_t column;
    std::string line;
    auto operator<=>(const Fault&) const = default;
  };

  // A key of the table or entry that `prefix`, such as "uplink.", names.
  void VisitKey(const toml::key& key, const toml::node& node,
                std::string_view prefix, size_t entry) {
    const std::string name = Concat(prefix, key.str());
    const Option* option = FindByToml(name);
    // A quoted root key "uplink.driver" is not the key of the table.
    const bool dotted = key.str().find('.') != std::string_view::npos;
    const OldKey* old = FindOldKey(name);
    if (option == nullptr && old != nullptr) {
      AddFault(key.source().begin, Concat(name, ": ", old->gone));
      return;
    }
    if (option == nullptr || dotted) {
      AddFault(key.source().begin, Concat("unknown ", KindOf(node), " ",
                                          Quoted(name), NearestTomlHint(name)));
      return;
    }
    if (origins_ != nullptr) {
      const uint32_t line = key.source().begin.line;
      origins_->Note(*option, entry, Concat(file_, ":", line));
    }
    const absl::Status status = option->field.type == ValueType::kList
                                    ? VisitList(*option, node, entry)
                                    : VisitValue(*option, node, entry);
    if (status.ok()) return;
    AddFault(node.source().begin, Concat(name, ": ", status.message()));
  }

  absl::Status VisitValue(const Option& option, const toml::node& node,
                          size_t entry) {
    Value value;
    if (ReadNode(node, option.field.type, value)) {
      return Apply(option, value, config_, entry);
    }
    AddWrongType(option, node);
    return absl::OkStatus();
  }

  // An array of texts, or one text with commas. A fault of one element stands
  // at that element.
  absl::Status VisitList(const Option& option, const toml::node& node,
                         size_t entry) {
    if (const auto* text = node.as_string()) {
      return ApplyText(option, text->get(), config_, entry);
    }
    if (!node.is_array()) {
      AddWrongType(option, node);
      return absl::OkStatus();
    }
    Value value;
    bool good = true;
    for (const toml::node& item : *node.as_array()) {
      const auto* text = item.as_string();
      if (text == nullptr) {
        AddWrongType(option, item);
        good = false;
        continue;
      }
      const absl::Status status = option.field.check_item(text->get());
      if (!status.ok()) {
        AddFault(item.source().begin,
                 Concat(option.toml, ": ", status.message()));
        good = false;
      }
      value.list.push_back(text->get());
    }
    return good ? Apply(option, value, config_, entry) : absl::OkStatus();
  }

  void AddWrongType(const Option& option, const toml::node& node) {
    AddFault(node.source().begin,
             Concat(option.toml, " must be ", Describe(option.field.type)));
  }

  void VisitTable(const toml::key& key, const toml::node& node,
                  const std::string& name) {
    const toml::table* table = node.as_table();
    if (table == nullptr) {
      AddFault(key.source().begin,
               Concat(name, " is a table: write [", name, "] on a line of its ",
                      "own and its keys below"));
      return;
    }
    for (const auto& [inner, value] : *table) {
      VisitKey(inner, value, Concat(name, "."), 0);
    }
  }

  // [[peer]]: the tables that may occur more than once.
  void VisitEntries(const EntryTable& table, const toml::key& key,
                    const toml::node& node) {
    const toml::array* entries = node.as_array();
    if (entries == nullptr || !node.is_array_of_tables()) {
      AddFault(key.source().begin,
               Concat(table.name, " stands once for each: write [[", table.name,
                      "]] on a line of its own and its keys ", "below"));
      return;
    }
    const std::string prefix = Concat(table.name, ".");
    for (const toml::node& entry : *entries) {
      const size_t index = table.count(config_);
      table.add(config_);
      for (const auto& [inner, value] : *entry.as_table()) {
        VisitKey(inner, value, prefix, index);
      }
      CheckWhole(*entry.as_table(), prefix);
    }
  }

  // An entry has all keys that it needs.
  void CheckWhole(const toml::table& entry, std::string_view prefix) {
    for (const Option& option : Options()) {
      if (!option.toml.starts_with(prefix) || option.optional) continue;
      if (entry.contains(KeyOf(option))) continue;
      AddFault(entry.source().begin,
               Concat("[[", TableOf(option), "]] without ", KeyOf(option), ": ",
                      KeyOf(option), " = \"", option.value_name, "\""));
    }
  }

  static std::string_view KindOf(const toml::node& node) {
    return node.is_table() || node.is_array_of_tables() ? "table" : "key";
  }

  std::string file_;
  Config& config_;
  Origins* origins_;
  std::vector<Fault> faults_;
};

// The byte at a position: columns count characters, lines end by a line feed.
size_t OffsetOf(std::string_view text, const toml::source_position& position) {
  size_t at = 0;
  for (uint32_t line = 1; line < position.line && at < text.size(); ++line) {
    at = std::min(text.find('\n', at), text.size() - 1) + 1;
  }
  const auto continues = [&](size_t byte) {
    return byte < text.size() &&
           (static_cast<uint8_t>(text[byte]) & 0xc0) == 0x80;
  };
  for (uint32_t column = 1; column < position.column && at < text.size();
       ++column) {
    do ++at;
    while (continues(at));
  }
  return at;
}

}  // namespace

std::optional<TextPlace> FindTomlText(std::string_view toml,
                                      std::string_view key) {
  const toml::parse_result parsed = toml::parse(toml);
  if (!parsed) return std::nullopt;
  const toml::node* node = parsed.table().get(key);
  const auto* text = node == nullptr ? nullptr : node->as_string();
  if (text == nullptr) return std::nullopt;
  return TextPlace{OffsetOf(toml, text->source().begin),
                   OffsetOf(toml, text->source().end), text->get()};
}

absl::Status ApplyToml(std::string_view text, std::string_view name,
                       Config& config, Origins* origins) {
  toml::parse_result parsed = toml::parse(text, name);
  Walker walker(name, config, origins);
  if (parsed) {
    walker.Walk(parsed.table());
  } else {
    const toml::parse_error& error = parsed.error();
    walker.AddFault(error.source().begin, error.description());
  }
  return walker.Result();
}

}  // namespace lwt::config
