"""scripts/hugepages.sh on this kernel: what it reserves stands beside what others
did, and goes again."""

import pathlib
import subprocess

import pytest

from harness.gateway import BUILD
from harness.machine import REPOSITORY

pytestmark = pytest.mark.alone  # free pages are the host's, and tests look

_NODE = pathlib.Path("/sys/devices/system/node/node0/hugepages/hugepages-2048kB")
_KEPT = pathlib.Path("/run/lightweight-tunnel-hugepages")


def _reserved():
    return int((_NODE / "nr_hugepages").read_text())


def _call(*words):
    """Where tmpfiles.d is its own, as /run is that of the tests."""
    inside = "mount -t tmpfs tmpfs /etc/tmpfiles.d; " + " && ".join(words)
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", inside], cwd=REPOSITORY,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False, env={"PATH": f"{BUILD}:/usr/sbin:/usr/bin:/sbin:/bin"})


def _pages(*words):
    return _call(" ".join(map(str, ("scripts/hugepages.sh", *words))))


@pytest.fixture
def before():
    """What was reserved, and is again."""
    pages = _reserved()
    yield pages
    _KEPT.unlink(missing_ok=True)
    (_NODE / "nr_hugepages").write_text(str(pages))


@pytest.fixture
def others(before):
    """With pages that somebody else has reserved."""
    (_NODE / "nr_hugepages").write_text(str(before + 3))
    assert _reserved() == before + 3, "the kernel has three pages in one piece"
    return before + 3


def test_adds_its_own_and_takes_them_back(others):
    for count in (4, 4, 6, 2):
        assert _pages("apply", "-pages", count).returncode == 0
        assert _reserved() == others + count
    assert " 2\n" in _pages("status").stdout
    assert "2 pages" in _pages("undo", "-n").stdout
    assert _reserved() == others + 2
    assert _pages("undo").returncode == 0
    assert _reserved() == others
    assert not _KEPT.exists()
    assert _pages("undo").stdout == "nothing is reserved\n"
    assert _reserved() == others


def test_who_was_stopped_takes_nothing_of_others(others):
    """More is remembered than the kernel came to give."""
    _KEPT.write_text(f"0 2048 1000 {others - 2}\n")
    assert _pages("undo").returncode == 0
    assert _reserved() == others - 2
    _KEPT.write_text(f"0 2048 1000 {others - 2}\n")
    assert _pages("apply", "-pages", 3).returncode == 0
    assert _reserved() == others - 2 + 3
    assert _pages("undo").returncode == 0
    assert _reserved() == others - 2


def test_bad_words_change_nothing(others):
    for words in (("apply", "-pages", "x"), ("apply", "-pages", "-1"),
                  ("apply", "-pages"), ("apply", "-size", "3M"),
                  ("apply", "-node", "99"), ("apply", "-c", "/nowhere"),
                  ("apply", "-c", "/etc/hosts", "-pages", "2"),
                  ("apply", "sideways"), ("undo", "all"), ("status", "x"),
                  ("sideways",), ()):
        done = _pages(*words)
        assert done.returncode == 2, (words, done.stdout)
        assert done.stdout
        assert _reserved() == others


def test_more_than_the_host_has(others):
    done = _pages("apply", "-pages", 99_999_999)
    assert done.returncode == 1
    assert "MiB are free" in done.stdout
    assert _reserved() == others and not _KEPT.exists()


def test_at_boot(others):
    boot = "/etc/tmpfiles.d/lightweight-tunnel-hugepages.conf"
    done = _call("scripts/hugepages.sh apply -pages 2 -boot", f"cat {boot}",
                 f"rm {_KEPT}", f"echo {others} >{_NODE}/nr_hugepages",
                 # As at a boot.
                 f"systemd-tmpfiles --create --boot {boot}", f"cat {_KEPT}",
                 "scripts/hugepages.sh undo", f"test ! -e {boot}",
                 # None leaves nothing behind.
                 "scripts/hugepages.sh apply -pages 2 -boot",
                 "scripts/hugepages.sh apply -pages 0 -boot",
                 f"test ! -e {boot}")
    assert done.returncode == 0, done.stdout
    assert f"nr_hugepages - - - - {others + 2}" in done.stdout
    assert f"\n0 2048 2 {others}\n" in done.stdout
    assert _reserved() == others


def test_as_many_as_a_gateway_computes(topology, start, folder, before):
    """Where it is to run: a hub has buffers for each interface."""
    settings = folder / "hub.toml"
    settings.write_text('mode = "server"\ntunnel_addr = "10.0.0.1/24"\n'
                        'key = "of-hugepages-4711"\n')
    settings.chmod(0o600)
    text = topology.hub.namespace.run(
        "env", f"PATH={BUILD}:/usr/sbin:/usr/bin:/sbin:/bin",
        REPOSITORY / "scripts/hugepages.sh", "apply", "-c", settings).stdout
    counted = _reserved() - before
    assert f"{counted} of them for gateways" in text
    hub = start(topology.hub.namespace, ["-c", settings, "-memory", "hugepages"],
                "hub")
    hub.wait_log("ready: ", 30)
    assert hub.status()["memory"]["mode"] == "hugepages"
    done = _pages("undo")
    assert done.returncode == 1 and "in use" in done.stdout
    assert _reserved() == before + counted
    assert hub.stop() == 0
    assert _pages("undo").returncode == 0
    assert _reserved() == before
