#include "control/config/reference.h"

#include "absl/strings/str_replace.h"
#include "control/config/command_line.h"
#include "control/config/options.h"
#include "control/config/text.h"

namespace lwt::config {
namespace {

constexpr std::string_view kPageHead =
    R"(# Configuration

This page is made from the table in `control/config/options.cc`; a test
compares the two. To print it anew, build the target `config-reference` and run
it.

A setting is given by its flag, or by its key in the TOML file that `-c` names.
A flag beats the file. Flags take one or two dashes, `-mtu 1400` or
`--mtu=1400`; a boolean is switched off by `-retransmit=false`. A dotted key
such as `uplink.driver` stands as `driver` below the line `[uplink]`.

`lightweight-tunnel -g tunnel.toml` writes `tunnel.toml` for a server and
`tunnel.toml.client` for a client, with one fresh key in both, and
`lightweight-tunnel -c tunnel.toml -check-config` checks a file. An unknown key
or a wrong value is refused with its file, line and column.

A file of a server may name the networks behind its clients, each by an entry of
its own at the end of the file:

```toml
[[peer]]
public_key = "vD1t5yk9uMJvVJdTgNVbLRRfAMO3WlMKqkjXQUUuNWc="
allowed_ips = "192.168.7.0/24,fd07::/64"
```

`public_key` is the one that `lwtctl status` prints on the client. Packets to
`allowed_ips` go to that client and are taken from it alone. A network may lie
within one of another peer; none may overlap the tunnel's own.

A key given by `-k` is wiped from the process list at start, yet it was there
for an instant, and stays in the shell's history: prefer `key_file`. A file
with a key in it should be readable by its owner alone (`chmod 600`).
)";

// A table's cell must not end at a bar.
std::string Cell(std::string_view text) {
  return absl::StrReplaceAll(ToAbsl(text), {{"|", "\\|"}});
}

std::string_view Sides(AppliesTo applies_to) {
  switch (applies_to) {
    case AppliesTo::kBoth:
      return "both";
    case AppliesTo::kServer:
      return "server";
    case AppliesTo::kClient:
      return "client";
  }
  return "";
}

std::string ValueCell(const Option& option) {
  switch (option.type) {
    case ValueType::kText:
      return Concat("text, `", option.value_name, "`");
    case ValueType::kChoice:
      return Concat(
          "`", absl::StrReplaceAll(ToAbsl(option.value_name), {{"|", "`, `"}}),
          "`");
    case ValueType::kInteger:
      return Concat("number, ", option.min, " to ", option.max);
    case ValueType::kBoolean:
      return "`true`, `false`";
  }
  return "";
}

void AddSettings(std::string& page) {
  std::string_view group;
  for (const Option& option : Options()) {
    if (option.group != group) {
      group = option.group;
      page += Concat("\n## ", group, "\n\n",
                     "| Key | Flag | Value | Default | For | Meaning |\n",
                     "|---|---|---|---|---|---|\n");
    }
    std::string shown = option.default_text.empty()
                            ? "none"
                            : Concat("`", option.default_text, "`");
    page +=
        Concat("| `", option.toml, "` | `-", option.flag, "` | ",
               ValueCell(option), " | ", shown, " | ", Sides(option.applies_to),
               " | ", Cell(option.sentence), " |\n");
  }
}

void AddCommands(std::string& page) {
  page +=
      "\n## Commands\n\nThese flags say what to do; no file holds them.\n\n"
      "| Flag | Meaning |\n|---|---|\n"
      "| `genkey` | Print a fresh key of 256 bits. |\n";
  for (const CommandFlag& command : CommandFlags()) {
    std::string_view space = command.value_name.empty() ? "" : " ";
    page += Concat("| `-", command.flag, space, command.value_name, "` | ",
                   Cell(command.sentence), " |\n");
  }
}

bool IsFor(const Option& option, Mode mode) {
  switch (option.applies_to) {
    case AppliesTo::kBoth:
      return true;
    case AppliesTo::kServer:
      return mode == Mode::kServer;
    case AppliesTo::kClient:
      return mode == Mode::kClient;
  }
  return false;
}

// The value that the sample sets, or empty.
std::string ExampleValue(const Option& option, Mode mode,
                         std::string_view key) {
  bool server = mode == Mode::kServer;
  if (option.toml == "mode") return std::string(NameOf(mode));
  if (option.toml == "local_addr") return "0.0.0.0:9000";
  if (option.toml == "remote_addr") return "server.example.com:9000";
  if (option.toml == "tunnel_addr") {
    return server ? "10.0.0.1/24" : "10.0.0.2/24";
  }
  if (option.toml == "key") return std::string(key);
  return "";
}

std::string TomlValue(const Option& option, std::string_view value) {
  bool quoted =
      option.type == ValueType::kText || option.type == ValueType::kChoice;
  return quoted ? Concat("\"", value, "\"") : std::string(value);
}

}  // namespace

std::string Wrap(std::string_view text, std::string_view indent, size_t width) {
  std::string out;
  std::string line(indent);
  while (!text.empty()) {
    size_t end = std::min(text.find(' '), text.size());
    bool empty = line.size() == indent.size();
    if (!empty && line.size() + 1 + end > width) {
      out += line + "\n";
      line = indent;
      empty = true;
    }
    if (!empty) line += ' ';
    line += text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out + line + "\n";
}

std::string ReferencePage() {
  std::string page(kPageHead);
  AddSettings(page);
  AddCommands(page);
  return page;
}

std::string FlagList() {
  std::string list;
  std::string_view group;
  for (const Option& option : Options()) {
    if (option.group != group) {
      group = option.group;
      list += Concat("\n", group, ":\n");
    }
    std::string value = option.type == ValueType::kBoolean
                            ? "=false"
                            : Concat(" ", option.value_name);
    std::string shown = option.default_text.empty()
                            ? ""
                            : Concat(" (default ", option.default_text, ")");
    std::string side = option.applies_to == AppliesTo::kBoth
                           ? ""
                           : Concat(" [", Sides(option.applies_to), "]");
    list += Concat("  -", option.flag, value, side, "\n",
                   Wrap(Concat(option.sentence, shown), "      ", 80));
  }
  return list;
}

std::string SampleFile(Mode mode, std::string_view key) {
  std::string file =
      Concat("# Lightweight Tunnel, the ", NameOf(mode),
             "'s settings. Use it with\n", "#   lightweight-tunnel -c FILE\n",
             "# A line behind a hash shows a setting's default.\n");
  std::string_view table;
  for (const Option& option : Options()) {
    if (!IsFor(option, mode)) continue;
    size_t dot = option.toml.find('.');
    if (dot != std::string_view::npos && option.toml.substr(0, dot) != table) {
      table = option.toml.substr(0, dot);
      file += Concat("\n[", table, "]\n");
    }
    std::string example = ExampleValue(option, mode, key);
    std::string_view value =
        example.empty() ? option.default_text : std::string_view(example);
    file += Concat("\n", Wrap(option.sentence, "# ", 80),
                   example.empty() ? "#" : "", option.toml.substr(dot + 1),
                   " = ", TomlValue(option, value), "\n");
  }
  return file;
}

}  // namespace lwt::config
