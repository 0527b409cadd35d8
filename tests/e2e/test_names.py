"""Name servers that a hub names, in force on a client's host, and what is left of
that. By a resolvconf that stands for openresolv and Debian's; there is no
systemd-resolved in a namespace, whose programs unit tests stand in for."""

import contextlib
import os
import pathlib
import signal

import pytest

from harness.names import NameServer, resolv_conf
from harness.pair import Pair, reload
from harness.snapshot import assert_unchanged, host_snapshot
from harness.wait import wait_until

_NAMES = "203.0.113.53"  # that the host asks without us
_BESIDE, _INSIDE = "192.0.2.77", "10.9.9.9"  # what each server answers

# Keeps a record for each name, and puts the last one into force alone (-x).
_RESOLVCONF = """#!/bin/sh
cd {folder} || exit 1
case $1 in
  -a) cat >"record.$2" ;;
  -d) rm -f "record.$2" ;;
esac
set -- record.*
if [ -e "$1" ]; then cat "$1"; else cat base; fi >/etc/resolv.conf
"""


class _Host:
    """The client's host: what it has of names."""

    def __init__(self, namespace):
        self.namespace = namespace

    def asks(self, name):
        """What a program gets for a name, by the C library."""
        done = self.namespace.run("getent", "ahostsv4", name, check=False)
        return done.stdout.split()[0] if done.stdout else None

    def file(self):
        return pathlib.Path("/etc/resolv.conf").read_text().splitlines()

    def wait_file(self, *lines):
        wait_until(lambda: self.file() == list(lines), 30,
                   f"resolv.conf is {lines}")


@pytest.fixture
def host(topology, folder, monkeypatch):
    topology.router.ip("address", "add", f"{_NAMES}/32", "dev", "lo")
    server = NameServer(topology.router, _NAMES, _BESIDE)
    place = folder / "names"
    (place / "bin").mkdir(parents=True)
    program = place / "bin" / "resolvconf"
    program.write_text(_RESOLVCONF.format(folder=place))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}/bin:{os.environ['PATH']}")
    text = f"nameserver {_NAMES}\noptions timeout:2 attempts:1\n"
    (place / "base").write_text(text)
    with resolv_conf(folder / "resolv.conf", text):
        yield _Host(topology.client.namespace)
    server.stop()


@contextlib.contextmanager
def _server_behind(hub):
    server = NameServer(hub.namespace, "10.0.0.1", _INSIDE)
    try:
        yield server
    finally:
        server.stop()


def _helper_of(gateway):
    """The process beside it, by its parent."""
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            parent = (entry / "stat").read_text().rsplit(")", 1)[1].split()[1]
            if b"name-helper" in words and int(parent) == gateway.pid:
                return int(entry.name)
    return None


def _gone(pid):
    with contextlib.suppress(OSError):
        state = pathlib.Path(f"/proc/{pid}/stat").read_text()
        return state.rsplit(")", 1)[1].split()[0] == "Z"
    return True


def test_names_are_asked_of_the_hubs_servers_and_nothing_is_left(
        topology, start, folder, host):
    before = host_snapshot([host.namespace])
    beside = host.file()
    assert host.asks("www.example.com") == _BESIDE
    pair = Pair(topology, start, folder,
                hub={"dns": '"10.0.0.1"', "dns_search": '"corp.example"'})
    inside = ["nameserver 10.0.0.1", "search corp.example"]
    # Whoever does not ask for it keeps its own.
    pair.client.wait_status(
        lambda status: "accept_dns does not take" in status["tunnel"]["reason"],
        20, "it is told")
    assert host.file() == beside
    pair.client_file.write(accept_dns="true")
    assert reload(pair.client) == "applied: accept_dns\n"
    host.wait_file(*inside)
    with _server_behind(pair.hub) as server:
        assert host.asks("www.example.com") == _INSIDE
        assert host.asks("printer") == _INSIDE
        assert set(server.asked) == {"10.0.0.2"}
    pair.client.wait_status(
        lambda status: "names are asked of 10.0.0.1, by resolvconf" in status[
            "tunnel"]["reason"], 20, "it is said")
    # Changes go at once, to none as well.
    pair.hub_file.write(dns='["10.0.0.1", "10.0.0.9"]', dns_search=None)
    assert reload(pair.hub) == "applied: dns, dns_search\n"
    host.wait_file("nameserver 10.0.0.1", "nameserver 10.0.0.9")
    pair.hub_file.write(dns=None)
    assert reload(pair.hub) == "applied: dns\n"
    host.wait_file(*beside)
    pair.hub_file.write(dns='"10.0.0.1"', dns_search='"corp.example"')
    reload(pair.hub)
    host.wait_file(*inside)
    helper = _helper_of(pair.client)
    assert pair.client.stop(timeout=20) == 0
    assert host.file() == beside, "before it had ended"
    wait_until(lambda: _gone(helper), 20, "the helper has ended")
    pair.hub.stop()
    assert_unchanged(before, host_snapshot([host.namespace]))
    assert host.asks("www.example.com") == _BESIDE


def test_names_are_as_before_after_kill_9(topology, start, folder, host):
    before = host_snapshot([host.namespace])
    beside = host.file()
    pair = Pair(topology, start, folder, hub={"dns": '"10.0.0.1"'},
                client={"accept_dns": "true"})
    host.wait_file("nameserver 10.0.0.1")
    helper = _helper_of(pair.client)
    pair.client.kill()
    host.wait_file(*beside)
    wait_until(lambda: _gone(helper), 20, "the helper has ended")
    # Both at once: the next start finds it.
    pair.client.start()
    host.wait_file("nameserver 10.0.0.1")
    pair.client.wait_log("names are asked of 10.0.0.1(?s:.*)names are asked")
    os.kill(_helper_of(pair.client), signal.SIGKILL)
    pair.client.kill()
    assert host.file() == ["nameserver 10.0.0.1"]
    pair.hub.stop()
    pair.client.start()
    host.wait_file(*beside)
    pair.client.wait_log("name servers of lwt0: taken back")
    assert pair.client.stop(timeout=20) == 0
    assert_unchanged(before, host_snapshot([host.namespace]))
