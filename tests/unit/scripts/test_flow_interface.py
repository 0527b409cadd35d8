"""A worker asks its flows for nothing but what their interface has
(dataplane/flow/outer_flows.h)."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[3]
INTERFACE = ROOT / "dataplane/flow/outer_flows.h"
CALL = re.compile(r"\btcp(?:\.|->)(?!Has\b)([A-Z]\w+)\(")
# Who relays strangers to a web site, and answers strays.
STREAM_FILES = {
    "dataplane/commands.cc", "dataplane/stages/acknowledge.cc",
    "dataplane/stages/classify.cc"
}


def offered():
    """The calls of all transports, and those besides of one with streams."""
    text = INTERFACE.read_text(encoding="utf-8")
    always, _, streams = text.partition("concept PassesStreams")
    names = re.compile(r"\b(?:flows|at_rest)\.(\w+)\(")
    return set(names.findall(always)), set(names.findall(streams))


def calls():
    """File -> what it calls of the flows, except for flow/ itself."""
    found = {}
    for path in sorted((ROOT / "dataplane").rglob("*")):
        name = path.relative_to(ROOT).as_posix()
        if path.suffix in (".cc", ".h") and "/flow/" not in name:
            names = set(CALL.findall(path.read_text(encoding="utf-8")))
            if names:
                found[name] = names
    return found


def test_a_worker_calls_what_the_interface_has():
    always, streams = offered()
    assert len(always) > 25 and len(streams) >= 4
    for name, names in calls().items():
        allowed = always | (streams if name in STREAM_FILES else set())
        assert names <= allowed, (name, names - allowed)


def test_the_interface_has_nothing_that_nobody_calls():
    always, streams = offered()
    called = set().union(*calls().values())
    assert (always | streams) <= called, (always | streams) - called
