"""What a gateway may change on a host, read before and after."""

import difflib
import json
import pathlib
import re

from harness.netns import run
from harness.wait import wait_until

# Sysctls that the kernel counts by.
_COUNTING = re.compile(r"nf_conntrack_count|\.gc_|random")
# Fields that count or age by themselves.
_MOVING = {"stats", "stats64", "valid_life_time", "preferred_life_time",
           "num_tx_queues", "num_rx_queues"}


def _steady(value):
    if isinstance(value, dict):
        return {key: _steady(entry) for key, entry in value.items()
                if key not in _MOVING}
    if isinstance(value, list):
        return [_steady(entry) for entry in value]
    return value


def _json_lines(namespace, title, *words):
    text = run("ip", "-n", namespace.name, "-d", "-j", *words).stdout
    entries = json.loads(text) if text.strip() else []
    return [f"{namespace.label} {title} {json.dumps(_steady(entry))}"
            for entry in entries if entry]


def _offloads(namespace):
    lines = []
    links = json.loads(namespace.ip("-j", "link"))
    for link in links:
        text = namespace.output("ethtool", "-k", link["ifname"])
        lines += [f"{namespace.label} {link['ifname']} {line.strip()}"
                  for line in text.splitlines() if ": " in line]
    return lines


def _rules(namespace):
    text = re.sub(r"packets \d+ bytes \d+", "packets N bytes N",
                  namespace.output("nft", "list", "ruleset"))
    return [f"{namespace.label} nft {line}" for line in text.splitlines()]


def _settle(namespace):
    """The kernel takes an IPv6 address into use some time after its link has
    come up, and makes its route only then."""
    wait_until(
        lambda: not namespace.ip("-6", "address", "show", "tentative").strip(),
        5, f"no address of {namespace.label} is tentative")


def _neighbours(namespace):
    """Those that somebody has set: the others come and go by themselves."""
    text = run("ip", "-n", namespace.name, "-d", "-j", "neighbour", "show",
               "nud", "all").stdout
    entries = json.loads(text) if text.strip() else []
    return sorted(
        f"{namespace.label} neighbour {json.dumps(_steady(entry))}"
        for entry in entries
        if "PERMANENT" in entry["state"] or "extern_learn" in entry)


def _sysctls(namespace):
    text = namespace.run("sysctl", "-a", "-r", r"^net\.",
                         check=False).stdout
    return [f"{namespace.label} sysctl {line}" for line in text.splitlines()
            if " = " in line and not _COUNTING.search(line)]


def _qdiscs(namespace):
    # Without their handles, which the kernel counts up.
    text = re.sub(r" [0-9a-f]+:", "", namespace.output("tc", "qdisc", "show"))
    return [f"{namespace.label} qdisc {line}" for line in text.splitlines()]


def _resolver(path="/etc/resolv.conf"):
    text = pathlib.Path(path)
    return [f"resolver {line}" for line in text.read_text().splitlines()
            ] if text.exists() else ["no resolver"]


def _namespace_lines(namespace):
    _settle(namespace)
    lines = [*_neighbours(namespace), *_sysctls(namespace),
             *_qdiscs(namespace)]
    for title, *words in (("link", "link"), ("address", "address"),
                          ("rule4", "-4", "rule"), ("rule6", "-6", "rule"),
                          ("route4", "-4", "route", "show", "table", "all"),
                          ("route6", "-6", "route", "show", "table", "all")):
        lines += _json_lines(namespace, title, *words)
    return lines + _offloads(namespace) + _rules(namespace)


def _files(root):
    return [f"file {path}" for path in sorted(pathlib.Path(root).rglob("*"))]


def free_hugepages(nodes="/sys/kernel/mm/hugepages"):
    nodes = pathlib.Path(nodes)
    return [f"{path.parent.name} {path.read_text().strip()} free"
            for path in sorted(nodes.glob("*/free_hugepages"))]


def host_snapshot(namespaces):
    """Links, addresses, neighbours, sysctls, qdiscs, rules, routes, nft,
    offloads, XDP, files, pages, resolv.conf."""
    lines = []
    for namespace in namespaces:
        lines += _namespace_lines(namespace)
    return (lines + _files("/run") + _files("/dev/shm") + free_hugepages() +
            _resolver())


def difference(before, after):
    """The lines that came and went; empty when there is none."""
    return [line for line in difflib.unified_diff(before, after, "before",
                                                  "after", lineterm="", n=0)
            if not line.startswith(("---", "+++", "@@"))]


def assert_unchanged(before, after):
    changed = difference(before, after)
    assert not changed, "the host changed:\n" + "\n".join(changed)
