"""docs/limits.md has the numbers of the sources."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/limits.md").read_text(encoding="utf-8")


def row(name):
    found, = [line for line in PAGE.splitlines()
              if line.startswith(f"| {name} |")]
    return found.split("|")[2].replace(" 000", "000")


@pytest.mark.parametrize("name, path, pattern", (
    ("clients of a hub", "control/config/options.cc",
     r'"max_clients",.*?\.max = (\d+)'),
    ("clients of a hub", "control/config/config.h", r"max_clients = (\d+)"),
    ("networks behind one side, announced", "control/routing/route_rules.h",
     r"kMostRoutes = (\d+)"),
    ("shared keys that are good at once", "control/handshake/key_ring.h",
     r"kMaxKeys = (\d+)"),
    ("workers", "dataplane/names.h", r"kMaxWorkers = (\d+)"),
    ("interfaces that a hub serves", "drivers/ports/joined_uplink.h",
     r"kMost = (\d+)"),
    ("`lwtctl` at once", "control/loop/api_server.h",
     r"kMaxClients = (\d+)"),
    ("readers of `[metrics]` at once", "control/web/http_server.h",
     r"kMaxClients = (\d+)"),
    ("readers of `[metrics]` at once", "control/web/http_server.h",
     r"kTimeoutS = (\d+)"),
))
def test_a_number_is_that_of_the_sources(name, path, pattern):
    text = (ROOT / path).read_text(encoding="utf-8")
    number = re.search(pattern, text, re.S).group(1)
    assert number in re.findall(r"\d+", row(name)), (number, row(name))
