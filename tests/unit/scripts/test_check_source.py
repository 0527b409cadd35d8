"""What scripts/check_source.py finds, by small trees of its own."""

import pathlib
import subprocess
import sys

import pytest

QUOTES = '"' * 3
SCRIPT = pathlib.Path(__file__).resolve().parents[3] / "scripts/check_source.py"


@pytest.fixture(name="findings")
def _findings(tmp_path):
    """Called with a file's path and text: the lines that the script prints."""

    def check(path, text):
        file = tmp_path / path
        file.parent.mkdir(parents=True)
        file.write_text(text, encoding="utf-8")
        done = subprocess.run([sys.executable, SCRIPT, path], cwd=tmp_path,
                              stdout=subprocess.PIPE, text=True, check=False)
        assert done.returncode == (1 if done.stdout else 0)
        return done.stdout.splitlines()

    return check


def test_a_layer_includes_none_above(findings):
    assert findings("dataplane/wire/a.h",
                    '#include "control/config/config.h"\n') == [
                        "dataplane/wire/a.h:1: dataplane may not include "
                        "control/"]


def test_a_room_includes_itself_and_what_lies_below(findings):
    assert not findings("control/hub/a.cc",
                        '#include "control/hub/a.h"\n'
                        '#include "control/config/config.h"\n'
                        '#include "dataplane/worker.h"\n')


@pytest.mark.parametrize("path, include, below, above", [
    ("control/config/a.cc", "control/cli/b.h", "control/config/",
     "control/cli/"),
    ("control/hub/a.h", "control/gateway.h", "control/hub/", "control/"),
    ("drivers/a.h", "drivers/ports/b.h", "drivers/", "drivers/ports/"),
    ("dataplane/burst.h", "dataplane/fec/decoder.h", "dataplane/burst.",
     "dataplane/fec/"),
])
def test_a_room_includes_none_above(findings, path, include, below, above):
    assert findings(path, f'\n#include "{include}"\n') == [
        f"{path}:2: {below} lies below {above} and may not include it"]


@pytest.mark.parametrize("include, count", [("dataplane/fec/policy.h", 0),
                                            ("dataplane/fec/decoder.h", 1)])
def test_the_longest_word_counts(findings, include, count):
    assert len(findings("dataplane/flow/a.h",
                        f'#include "{include}"\n')) == count


def test_a_folder_without_a_place_is_told(findings):
    assert findings("control/attic/a.h", "") == [
        "control/attic/a.h:1: control/attic has no place in ROOMS of "
        "scripts/check_source.py"]


@pytest.mark.parametrize("path, told", [
    ("control/platform/tunnel_device.cc", False),
    ("control/host/net/netlink.cc", False),
    ("control/host/net/tunnel_keeper.cc", True),
    ("control/session/session.cc", True),
])
def test_what_is_owned_is_called_by_its_owner_alone(findings, path, told):
    text = "// SetLinkMtu(1)\nvoid F() { netlink.SetLinkMtu(1, 1400); }\n"
    owner = "control/platform/tunnel_device.cc"
    assert findings(path, text) == (
        [f"{path}:2: SetLinkMtu is called by {owner} alone"] if told else [])


@pytest.mark.parametrize("declaration, told", [
    ("[[nodiscard]] bool ParseTcp(Span bytes);", None),
    ("  [[nodiscard]] static bool Put(int value);", None),
    ("  bool pushed() const;", None),
    ("// bool Parse(Span bytes);", None),
    ("bool ParseTcp(Span bytes);", "ParseTcp"),
    ("  virtual bool TryPush(int value) = 0;", "TryPush"),
    ("  static bool Insert(int value);", "Insert"),
])
def test_what_a_parser_or_a_push_says_is_not_overlooked(findings, declaration,
                                                        told):
    path = "dataplane/wire/a.h"
    assert findings(path, f"#pragma once\n{declaration}\n") == (
        [f"{path}:2: {told} is to be [[nodiscard]]"] if told else [])


@pytest.mark.parametrize("path, text, told", [
    ("control/a.h", "// A lane that ends, hence\n// its flow.\n",
     ["control/a.h:1: say \"so\" for \"hence\""]),
    ("control/a.cc", 'Log("chosen anew");\nint shall = his; // hers\n',
     ["control/a.cc:1: say \"again\" for \"anew\""]),
    ("control/a.h", "// All of it, but\n  // for the last.\n",
     ["control/a.h:1: say \"except for\" for \"but for\""]),
    ("tests/a.py", f"{QUOTES}Whoever\nshows his key.{QUOTES}\n",
     ["tests/a.py:2: say \"its, or their\" for \"his\""]),
    ("tests/a.py", "visitor = 'he'  # a thing\n", []),
    ("docs/a.md", "`anew` [it](0016-visitors-are.md)\n\n```\nhe\n```\n"
     "Visitors of late.\n",
     ["docs/a.md:6: say \"probers\" for \"visitors\"",
      "docs/a.md:6: say \"lately\" for \"of late\""]),
])
def test_prose_is_current_english(findings, path, text, told):
    assert findings(path, text) == told


@pytest.mark.parametrize("path, told", [
    ("dataplane/stages/a.cc", True),
    ("dataplane/stages/a.h", False),
    ("dataplane/loop.cc", False),
])
def test_a_stage_begins_with_what_it_does(findings, path, told):
    assert findings(path, "#include <array>\n") == (
        [f"{path}:1: begin with a sentence that says what it does"]
        if told else [])


def test_a_stage_that_does_is_not_told(findings):
    assert not findings("dataplane/stages/a.cc", "// Moves packets.\n")
