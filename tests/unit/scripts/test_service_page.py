"""docs/service.md gives a reason for each line of `systemd-analyze security`
that is not green."""

import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[3]
UNIT = ROOT / "scripts/packaging/lightweight-tunnel@.service"


def _table():
    page = (ROOT / "docs/service.md").read_text(encoding="utf-8")
    section = page.split("## What the service may do\n")[1].split("\n## ")[0]
    return "\n".join(line.split("|")[1] for line in section.splitlines()
                     if line.startswith("| `"))


def _red_lines():
    """The names of the lines, such as "RestrictAddressFamilies=~AF_UNIX"."""
    said = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", UNIT],
        capture_output=True, text=True, check=False,
        env={"LC_ALL": "C.UTF-8", "SYSTEMD_COLORS": "0"}).stdout
    return re.findall(r"^✗ (\S+)", said, re.M)


def _missing(lines, table):
    """Words of the lines that the table does not have: "(INET|INET6)" is one
    for each."""
    missing = []
    for line in lines:
        setting, _, detail = line.partition("=")
        front, _, many = detail.removeprefix("~").partition("(")
        words = [setting, *(
            [front + word for word in many.rstrip(")").split("|")]
            if many else [front])]
        # A capability that the unit does not have is in its line all the same.
        missing += [word for word in words if word not in table
                    and word not in ("CAP_NET_BROADCAST", "")
                    and not word.startswith("/")]
    return missing


def test_each_line_that_is_not_green_has_its_reason():
    lines = _red_lines()
    assert len(lines) > 10, lines
    table = _table()
    assert _missing(lines, table) == []
    assert _missing(lines, table.replace("AF_UNIX", "")) == ["AF_UNIX"]
    assert _missing(["PrivateDevices="], table) == ["PrivateDevices"]
