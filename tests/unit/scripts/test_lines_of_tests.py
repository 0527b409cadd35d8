"""How much of control is tried by tests of its own: lines that nobody tries
are found by this before they are many."""

import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[3]
LEAST = 0.8


def lines(*folders):
    return sum(path.read_text(encoding="utf-8").count("\n")
               for folder in folders
               for path in (ROOT / folder).rglob("*")
               if path.suffix in (".h", ".cc"))


def test_control_has_four_lines_of_test_for_five_of_its_own():
    own = lines("control")
    tests = lines("tests/unit/control", "tests/property/control")
    assert own > 20_000, "counted where it is"
    assert tests >= LEAST * own, (
        f"{tests} lines try {own} lines of control: {LEAST * own - tests:.0f} "
        "more are wanted (docs/CONTRIBUTING.md)")
