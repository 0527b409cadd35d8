#include "control/config/reference.h"

#include "absl/strings/str_replace.h"
#include "control/base/text.h"
#include "control/config/command_line.h"
#include "control/config/options.h"

namespace lwt::config {
namespace {

constexpr std::string_view kPageHead =
    R"(# Configuration

This page is made from the table in `control/config/options.cc`; a test
compares the two. To print it again, build the target `config-reference` and run
it.

A setting is given by its flag, or by its key in the TOML file that `-c` names.
A flag beats the file. Flags take one or two dashes, `-mtu 1400` or
`--mtu=1400`; a boolean is switched off by `-retransmit=false`. A dotted key
such as `uplink.driver` stands as `driver` below the line `[uplink]`.

`lightweight-tunnel -g tunnel.toml` writes `tunnel.toml` for a hub and
`tunnel.toml.client` for a client, with one fresh key in both and the addresses
that `-l`, `-r` and `-t`, the hub's, give; in either file any line may be
uncommented by itself. Added lines have their place: a key without a table stands
above the first line in brackets, and at the end of the file only `[[peer]]` and
`[[hub]]` may be added. `lightweight-tunnel -c tunnel.toml -check-config` checks a
file: an unknown key or a wrong value is refused with its file, line and column.
`-print-config` prints the settings in force, each with the flag or the line that
gave it.

A list is written as `["10.86.27.1/24", "fd00::1/64"]`, or as one text with commas
as a flag takes it.

`[[peer]]` is a table that stands once for each client of which the hub is to know
something, at the end of its file: what it is called, tunnel addresses that are its
alone, networks behind it, of which it need not say anything then, whether it is
kept from the others, and what is set for it in place of `fec`, `rate` and `rate_in`
of all. Only `public_key` is needed:

```toml
[[peer]]
public_key = "vD1t5yk9uMJvVJdTgNVbLRRfAMO3WlMKqkjXQUUuNWc="
name = "office"
addresses = ["10.86.27.7"]
allowed_ips = ["192.168.7.0/24", "fd07::/64"]
isolated = false
fec = "10:3"
rate = "20M"
rate_in = "20M"
```

A network may lie within one of another peer; none may overlap the tunnel's own.

`accept_routes` never takes the default route, what is shorter than /8 (IPv6: /16),
the tunnel's own network, networks that this host has or announces, what the
tunnel's own frames go to, or what is another client's
([protocol](protocol.md#routes)).

`default_route = true` has a client send all through the tunnel that has no way of
its own ([networks](networks.md#all-traffic-through-the-tunnel)).

`[[hub]]` is a table that stands once for each further hub, at the end of a
client's file; both keys are needed, and the order is that in which they are
tried, `remote_addr` before them. A file with entries needs no `remote_addr`
([operations](operations.md#two-hubs)):

```toml
[[hub]]
address = "hub2.example.com:9000"
public_key = "vD1t5yk9uMJvVJdTgNVbLRRfAMO3WlMKqkjXQUUuNWc="
```

SIGHUP and `lwtctl reload` have file and flags read again ([operations](
operations.md#changing-settings)). The tables tell what a changed setting waits
for: nothing, the next connection (sessions that are up go on as they are), or a
restart.

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
      return "hub";
    case AppliesTo::kClient:
      return "client";
  }
  return "";
}

std::string ValueCell(const Option& option) {
  switch (option.field.type) {
    case ValueType::kRate:
      return "rate, `50M` or a number";
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
    case ValueType::kList:
      return Concat("list, `", option.value_name, "`");
  }
  return "";
}

std::string WaitCell(const Option& option) {
  switch (option.takes) {
    case Takes::kLive:
      return option.made_at_start ? "nothing; above that of the start: restart"
                                  : "nothing";
    case Takes::kNextConnection:
    case Takes::kRestart:
      break;
  }
  return std::string(NameOf(option.takes));
}

void AddSettings(std::string& page) {
  std::string_view group;
  for (const Option& option : Options()) {
    if (option.group != group) {
      group = option.group;
      page += Concat("\n## ", group, "\n\n",
                     "| Key | Flag | Value | Default | For | A change waits "
                     "for | Meaning |\n",
                     "|---|---|---|---|---|---|---|\n");
    }
    std::string shown = DefaultText(option);
    shown = shown.empty() ? "none" : Concat("`", shown, "`");
    std::string flag =
        option.flag.empty() ? "none" : Concat("`-", option.flag, "`");
    page += Concat("| `", option.toml, "` | ", flag, " | ", ValueCell(option),
                   " | ", shown, " | ", Sides(option.applies_to), " | ",
                   WaitCell(option), " | ", Cell(option.sentence), " |\n");
  }
}

void AddCommands(std::string& page) {
  page +=
      "\n## Commands\n\nThese flags say what to do; no file holds them.\n\n"
      "| Flag | Meaning |\n|---|---|\n";
  for (const CommandFlag& word : CommandWords()) {
    page += Concat("| `", word.flag, "` | ", Cell(word.sentence), " |\n");
  }
  for (const CommandFlag& command : CommandFlags()) {
    std::string_view space = command.value_name.empty() ? "" : " ";
    page += Concat("| `-", command.flag, space, command.value_name, "` | ",
                   Cell(command.sentence), " |\n");
  }
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
      list +=
          Concat("\n", group, option.flag.empty() ? " of the file" : "", ":\n");
    }
    std::string name = option.flag.empty() ? std::string(option.toml)
                                           : Concat("-", option.flag);
    std::string shown = DefaultText(option);
    // As it is written where it changes something.
    const std::string_view given = option.flag.empty() ? " = true" : "";
    std::string value = option.field.type != ValueType::kBoolean
                            ? Concat(" ", option.value_name)
                        : shown == "true" ? "=false"
                                          : std::string(given);
    if (!shown.empty()) shown = Concat(" (default ", shown, ")");
    std::string side = option.applies_to == AppliesTo::kBoth
                           ? ""
                           : Concat(" [", Sides(option.applies_to), "]");
    list += Concat("  ", name, value, side, "\n",
                   Wrap(Concat(option.sentence, shown), "      ", 80));
  }
  return list;
}

}  // namespace lwt::config
