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
#include "control/config/load.h"
#include "control/config/networks.h"
#include "control/config/text.h"
#include "control/config/values.h"

namespace lwt::config {
namespace {

std::string_view Describe(ValueType type) {
  switch (type) {
    case ValueType::kText:
    case ValueType::kChoice:
      return "text in quotes";
    case ValueType::kInteger:
      return "a whole number without quotes";
    case ValueType::kBoolean:
      return "true or false without quotes";
  }
  return "";
}

// The node's value if it has the option's type.
bool ReadNode(const toml::node& node, ValueType type, Value& value) {
  switch (type) {
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
  }
  return false;
}

// Walks the two levels that the file has; collects every fault.
class Walker {
 public:
  Walker(std::string_view file, Config& config)
      : file_(file), config_(config) {}

  void Walk(const toml::table& table, std::string_view prefix) {
    for (const auto& [key, node] : table) Visit(key, node, prefix);
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

  void Visit(const toml::key& key, const toml::node& node,
             std::string_view prefix) {
    std::string name = Concat(prefix, key.str());
    if (prefix.empty() && IsTable(name)) {
      VisitTable(key, node, name);
      return;
    }
    if (name == "peer") {
      VisitPeers(key, node);
      return;
    }
    const Option* option = FindByToml(name);
    // A quoted root key "uplink.driver" is not the key of the table.
    bool dotted = key.str().find('.') != std::string_view::npos;
    if (option == nullptr || dotted) {
      AddFault(key.source().begin, Concat("unknown ", KindOf(node), " ",
                                          Quoted(name), NearestTomlHint(name)));
      return;
    }
    Value value;
    if (!ReadNode(node, option->type, value)) {
      AddFault(node.source().begin,
               Concat(name, " must be ", Describe(option->type)));
      return;
    }
    absl::Status status = Apply(*option, value, config_);
    if (!status.ok()) {
      AddFault(node.source().begin, Concat(name, ": ", status.message()));
    }
  }

  void VisitTable(const toml::key& key, const toml::node& node,
                  const std::string& name) {
    const toml::table* table = node.as_table();
    if (table != nullptr) {
      Walk(*table, Concat(name, "."));
      return;
    }
    AddFault(key.source().begin,
             Concat(name, " is a table: write [", name, "] on a line of its ",
                    "own and its keys below"));
  }

  // [[peer]]: the only tables that may occur more than once.
  void VisitPeers(const toml::key& key, const toml::node& node) {
    const toml::array* entries = node.as_array();
    if (entries == nullptr || !node.is_array_of_tables()) {
      AddFault(key.source().begin,
               "peer stands once for each client: write [[peer]] on a line of "
               "its own, and public_key and allowed_ips below");
      return;
    }
    for (const toml::node& entry : *entries) VisitPeer(*entry.as_table());
  }

  void VisitPeer(const toml::table& entry) {
    std::string values[2];
    constexpr std::string_view kNames[2] = {"public_key", "allowed_ips"};
    bool whole = true;
    for (const auto& [key, node] : entry) {
      const bool first = key.str() == kNames[0];
      if (!first && key.str() != kNames[1]) {
        AddFault(key.source().begin,
                 Concat("unknown key ", Quoted(key.str()),
                        "; a [[peer]] has public_key and allowed_ips"));
        whole = false;
      } else if (const auto* text = node.as_string()) {
        values[first ? 0 : 1] = text->get();
      } else {
        AddFault(node.source().begin,
                 Concat("peer.", key.str(), " must be text in quotes"));
        whole = false;
      }
    }
    if (!whole) return;
    absl::StatusOr<PeerEntry> peer = ReadPeerEntry(values[0], values[1]);
    if (peer.ok()) {
      config_.hub.peers.push_back(*std::move(peer));
    } else {
      AddFault(entry.source().begin,
               Concat("[[peer]]: ", peer.status().message()));
    }
  }

  static std::string_view KindOf(const toml::node& node) {
    return node.is_table() || node.is_array_of_tables() ? "table" : "key";
  }

  std::string file_;
  Config& config_;
  std::vector<Fault> faults_;
};

}  // namespace

absl::Status ApplyToml(std::string_view text, std::string_view name,
                       Config& config) {
  toml::parse_result parsed = toml::parse(text, name);
  Walker walker(name, config);
  if (parsed) {
    walker.Walk(parsed.table(), "");
  } else {
    const toml::parse_error& error = parsed.error();
    walker.AddFault(error.source().begin, error.description());
  }
  return walker.Result();
}

}  // namespace lwt::config
