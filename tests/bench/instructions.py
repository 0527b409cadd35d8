"""Instructions per packet in our own code, counted by callgrind, against a
baseline: more than 2 % above it fails. Cryptography and DPDK's libraries are
not counted, so the figure depends on the compiler and on nothing else.

usage: instructions.py PROGRAM BASELINE [-update]

Change the baseline by -update, in a commit that says why.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

_STEPS = 200
_SIDES = ("sender", "receiver", "offload-sender", "offload-receiver",
          "super-sender", "super-receiver")
_ALLOWED = 1.02
_NAME = re.compile(r"^(c?)ob=\((\d+)\)(?: (.*))?$")
_COST = re.compile(r"^(?:\+|-|\*|\d)\S*(?: \S+)* (\d+)$")


def own_cost(text, program):
    """Sum of self cost of the object whose path ends in `program`."""
    objects, current, total, skip = {}, "", 0, False
    for line in text.splitlines():
        named = _NAME.match(line)
        if named:
            callee, number, name = named.groups()
            objects.setdefault(number, name)
            if not callee:
                current = objects[number]
        elif line.startswith("calls="):
            skip = True  # the next line is the cost of what was called
        elif _COST.match(line):
            if not skip and current.endswith(program):
                total += int(_COST.match(line).group(1))
            skip = False
    return total


def count(program, side):
    """Instructions per packet of one side in `program` itself."""
    with tempfile.TemporaryDirectory(prefix="lwtb-") as folder:
        out = pathlib.Path(folder) / "callgrind.out"
        packets = subprocess.run(
            ["valgrind", "--tool=callgrind", "--quiet",
             f"--callgrind-out-file={out}", "--collect-atstart=no",
             str(program), side, str(_STEPS)],
            check=True, stdout=subprocess.PIPE, text=True).stdout
        return own_cost(out.read_text(), program.name) / int(
            packets.splitlines()[-1])


def compare(got, baseline):
    """Lines to print, and whether all is well."""
    lines, well = [], True
    for name, value in got.items():
        known = baseline[name]
        change = value / known - 1
        good = value <= known * _ALLOWED
        well = well and good
        lines.append(f"{name}: {value:.1f} instructions a packet, baseline "
                     f"{known:.1f}, {change:+.1%}"
                     f"{'' if good else ': more than 2 % above'}")
    return lines, well


def main():
    program, baseline = map(pathlib.Path, sys.argv[1:3])
    got = {side: round(count(program, side), 1) for side in _SIDES}
    if "-update" in sys.argv[3:]:
        baseline.write_text(json.dumps(got, indent=1) + "\n")
    lines, well = compare(got, json.loads(baseline.read_text()))
    print("\n".join(lines))
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
