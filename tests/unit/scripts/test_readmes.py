"""Each folder of the program says what is in it: its README has a row for each
file and each folder, and none for what is not there."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
FOLDERS = sorted(
    {file.parent.relative_to(ROOT).as_posix()
     for layer in ("control", "dataplane", "drivers")
     for file in (ROOT / layer).rglob("*") if file.suffix in (".cc", ".h")}
    | {"control/host"})


def stem(name):
    return re.sub(r"\.(?:cc|c|h)$", "", name)


def rows(folder):
    """What the first column of its README's tables names."""
    page = (ROOT / folder / "README.md").read_text(encoding="utf-8")
    return [name for line in page.splitlines() if line.startswith("|")
            for name in re.findall(r"`([^`]+)`", line.split("|")[1])]


def there(folder):
    """Its files, without their endings, and its folders."""
    names = set()
    for path in (ROOT / folder).iterdir():
        if path.is_dir():
            names.add(f"{path.name}/")
        elif path.suffix in (".cc", ".c", ".h"):
            names.add(stem(path.name))
    return names


def test_the_folders_are_found():
    assert len(FOLDERS) > 25
    assert "outer_tcp_send" in there("dataplane/flow")
    assert "outer_tcp_send.cc" in rows("dataplane/flow")


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_file_has_its_row(folder):
    missing = there(folder) - {stem(name) for name in rows(folder)}
    assert not missing, f"{folder}/README.md has no row for them"


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_row_is_of_what_is_there(folder):
    for name in rows(folder):
        path = ROOT / folder / name
        assert path.exists() or any(
            path.parent.glob(f"{path.name}.{ending}")
            for ending in ("cc", "c", "h")), name
