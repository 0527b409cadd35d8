"""docs/rooms.md is what the tree is, and no include leads up."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/rooms.md").read_text(encoding="utf-8")


def marks():
    """(row, column) of each, by the numbers of the rooms."""
    for line in re.findall(r"^[ \d]\d  \S.*", PAGE, re.MULTILINE):
        yield from ((int(line[:2]), column, line) for column in
                    [m.start() for m in re.finditer(r"(?<= )x", line)])


def test_the_page_is_printed_from_the_tree():
    printed = subprocess.run(
        [sys.executable, ROOT / "scripts/print_rooms.py"], check=True,
        stdout=subprocess.PIPE, text=True).stdout
    assert printed == PAGE, "python3 scripts/print_rooms.py > docs/rooms.md"


def test_all_includes_lead_down():
    found = list(marks())
    assert len(found) > 100
    for _, column, line in found:
        assert column < line.rindex("."), line
