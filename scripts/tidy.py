"""Runs clang-tidy over product sources, a folder at a time.

Nearly all its time goes into the headers of libraries, again for each file.
So the files of a folder that are compiled alike are included into one, and
that is checked. Files whose private names clash with those of a file before
them make another such group.

usage: tidy.py BUILD FILE...    prints findings, exits 1 when there are any
"""

import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

FINDING = re.compile(r"^(\S+)(:\d+:\d+: (?:error|warning): .*)$", re.M)
# Of a compile command: what differs from file to file.
PER_FILE = re.compile(r" (-I\S+\.p|-MD|-M[QF] \S+|-o \S+|-c \S+)(?= |$)")


def folders(build, names):
    """Yields (compile command without a file, files) for each folder."""
    root = build.parent
    wanted = {(root / name).resolve() for name in names}
    groups = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = (build / entry["file"]).resolve()
        if path in wanted:
            wanted.remove(path)
            command = PER_FILE.sub("", entry["command"])
            groups.setdefault((path.parent, command), []).append(path)
    if wanted:
        raise SystemExit(f"built by no target: {sorted(map(str, wanted))}")
    for (_, command), paths in groups.items():
        yield shlex.split(command), sorted(paths)


def clashing(command, source, paths, build):
    """The files that do not compile behind those before them."""
    source.write_text("".join(
        f'#include "{os.path.relpath(path, build)}"  // NOLINT\n'
        for path in paths))
    run = subprocess.run(
        command + ["-fsyntax-only", "-w", "-ferror-limit=0",
                   "-fno-color-diagnostics", os.path.relpath(source, build)],
        cwd=build, capture_output=True, text=True)
    found = set()
    at = 0
    included = re.compile(rf"In file included from \S*{source.name}:(\d+)")
    for line in run.stderr.splitlines():
        if match := included.match(line):
            at = int(match.group(1)) - 1
        elif "error: " in line:
            found.add(paths[at])
    return sorted(found)


def tidy(command, folder, paths, build):
    """What clang-tidy prints about the files; empty when it is content."""
    source = folder / "group.cc"
    folder.mkdir(parents=True, exist_ok=True)
    later = []
    while len(paths) > 1 and (
            found := clashing(command, source, paths, build)):
        if found == paths:
            later, paths = later + paths[1:], paths[:1]
        else:
            later += found
            paths = [path for path in paths if path not in found]
    if len(paths) == 1:
        source = paths[0]
    (folder / "compile_commands.json").write_text(json.dumps([{
        "directory": str(build), "file": str(source),
        "arguments": command + [str(source)]}]))
    run = subprocess.run(["clang-tidy", "-quiet", "-p", folder, source],
                         capture_output=True, text=True)
    output = run.stdout if run.returncode == 0 else (
        run.stdout + run.stderr or f"clang-tidy: status {run.returncode}\n")
    if later:
        output += tidy(command, folder / "later", sorted(later), build)
    return output


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    jobs = sorted(folders(build, sys.argv[2:]), key=lambda job: -len(job[1]))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        outputs = [pool.submit(tidy, command, build / "tidy" / str(number),
                               paths, build)
                   for number, (command, paths) in enumerate(jobs)]
    text = "".join(output.result() for output in outputs)
    findings = {os.path.relpath(build / path) + rest
                for path, rest in FINDING.findall(text)}
    print("".join(f"{finding}\n" for finding in sorted(findings)) or text,
          end="")
    sys.exit(1 if text.strip() else 0)


if __name__ == "__main__":
    main()
