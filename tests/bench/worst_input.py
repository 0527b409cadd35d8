"""Instructions that each stage and parser of the inbound path takes for the
worst legal input that is known, over those for the common one, counted by
callgrind: more than 8 times fails.

usage: worst_input.py PROGRAM
"""

import pathlib
import re
import subprocess
import sys
import tempfile

_ALLOWED = 8.0
_TOTALS = re.compile(r"^totals: (\d+)", re.MULTILINE)


def instructions(text):
    """Of one dump."""
    return int(_TOTALS.search(text).group(1))


def costs(program):
    """Instructions of one operation, by stage and side."""
    with tempfile.TemporaryDirectory(prefix="lwtw-") as folder:
        out = pathlib.Path(folder) / "out"
        lines = subprocess.run(
            ["valgrind", "--tool=callgrind", "--quiet",
             f"--callgrind-out-file={out}", "--collect-atstart=no",
             str(program), "count"],
            check=True, stdout=subprocess.PIPE,
            text=True).stdout.splitlines()
        result = {}
        for number, line in enumerate(lines, start=1):
            stage, side, operations = line.split("|")
            dump = pathlib.Path(f"{out}.{number}").read_text()
            result.setdefault(stage, {})[side] = (
                instructions(dump) / int(operations))
    return result


def judge(result):
    """Lines to print, and whether all is well."""
    lines, well = [], bool(result)
    for stage, sides in result.items():
        ratio = sides["worst"] / sides["common"]
        good = ratio <= _ALLOWED
        well = well and good
        lines.append(f"{stage}: {sides['common']:.0f} and "
                     f"{sides['worst']:.0f} instructions, {ratio:.2f}"
                     f"{'' if good else f': more than {_ALLOWED:.0f} times'}")
    return lines, well


def main():
    lines, well = judge(costs(pathlib.Path(sys.argv[1])))
    print("\n".join(lines))
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
