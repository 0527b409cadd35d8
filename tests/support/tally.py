"""Adds up JUnit files and prints the closing line of a test run.

usage: tally.py DIRECTORY STATUS

STATUS is 1 when a step failed that writes no JUnit file (a build, say). Exits
with 0 only when nothing failed, something ran, and, with CI=true in the
environment, nothing was skipped.
"""

import os
import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def count(path):
    """Returns (passed, failed, skipped) and prints the failed and skipped."""
    passed = failed = skipped = 0
    for case in ElementTree.parse(path).iter("testcase"):
        name = f'{case.get("classname", "")}.{case.get("name", "")}'
        if case.find("failure") is not None or case.find("error") is not None:
            print(f"  failed: {path.stem}: {name}")
            failed += 1
        elif case.find("skipped") is not None or case.get("status") == "notrun":
            print(f"  skipped: {path.stem}: {name}")
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def main():
    directory, status = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    total = [0, 0, 0]
    for path in sorted(directory.glob("*.junit.xml")):
        figures = count(path)
        print("{}: {} passed, {} failed, {} skipped".format(
            path.name.removesuffix(".junit.xml"), *figures))
        total = [a + b for a, b in zip(total, figures)]
    if status and total[1] == 0:
        total[1] = 1
    strict = os.environ.get("CI") == "true" and total[2] > 0
    print("{} passed, {} failed, {} skipped".format(*total))
    sys.exit(1 if total[1] or strict or sum(total) == 0 else 0)


if __name__ == "__main__":
    main()
