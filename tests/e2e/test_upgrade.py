"""A new version in the place of the one that runs, under traffic; and back
where the new one is broken."""

import re
import sys
import time

import pytest

from harness import fake_version
from harness.gateway import (BUILD, PORT, client_arguments,
                             server_arguments)
from harness.machine import REPOSITORY
from harness.netns import run
from harness.wait import wait_until

UNIT = "lightweight-tunnel@office"
INSTALL = REPOSITORY / "scripts/install-service.sh"
UPGRADE = REPOSITORY / "scripts/upgrade.sh"
PROGRAM = "usr/local/bin/lightweight-tunnel"
STATE = "var/lib/lightweight-tunnel/office"
# As docs/service.md states it.
LONGEST_GAP_S = 3
# Of 256 bits, which needs no stretching.
KEY = "lwt1:R2G5ZOG1cgiz9Wn6Px-FGEMXSTzXWMogV8OrnAYCOw3xkg"
# One end of a connection through the tunnel that says a number each 50 ms, and
# the other, which prints when each came.
_SAY = """
import socket, sys, time
s = socket.create_server(("10.0.0.1", 7000)); print("ready", flush=True)
c, _ = s.accept()
c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
while True:
    c.send(b"x"); time.sleep(0.05)
"""
_HEAR = """
import socket, time
s = socket.create_connection(("10.0.0.1", 7000), timeout=60)
print("ready", flush=True)
while s.recv(1024):
    print(time.monotonic(), flush=True)
"""


@pytest.fixture(params=["client"])
def side(request):
    """What the machine's gateway is; the other side runs outside of it."""
    return request.param


@pytest.fixture
def gateway(topology, start, machine, side):
    """Installed on the machine, and up."""
    there = topology.hub.namespace
    if side == "client":
        start(there, server_arguments("10.0.0.1/24", key=KEY), "other")
    else:
        start(there, client_arguments(topology.client.v4, "10.0.0.2/24",
                                      key=KEY), "other")
    path = machine.root / "root/office.toml"
    path.write_text(_settings(topology, side))
    machine.run(INSTALL, "-build", BUILD.resolve(), "/root/office.toml",
                "office")
    wait_until(lambda: _pings(topology, side), 15, "the tunnel is up")


def _settings(topology, side="client"):
    if side == "client":
        return (f'mode = "client"\nremote_addr = "{topology.hub.v4}:{PORT}"\n'
                f'tunnel_addr = ["10.0.0.2/24"]\nkey = "{KEY}"\n')
    return (f'mode = "server"\nlocal_addr = "0.0.0.0:{PORT}"\n'
            f'tunnel_addr = ["10.0.0.1/24"]\nkey = "{KEY}"\n')


def _client_of(topology, side):
    """The namespace of the tunnel's client."""
    host = topology.client if side == "client" else topology.hub
    return host.namespace


def _pings(topology, side="client"):
    return _client_of(topology, side).ping("10.0.0.1", count=1, timeout=1) == 1


class Talk:
    """An inner connection that never stops; `gap` is its longest silence."""

    def __init__(self, topology, folder, side="client"):
        self._log = folder / "heard"
        self._ends = []
        client = _client_of(topology, side)
        hub, = {topology.hub.namespace, topology.client.namespace} - {client}
        for namespace, text, name in ((hub, _SAY, "said"),
                                      (client, _HEAR, "heard")):
            log = folder / name
            with log.open("w") as file:
                self._ends.append(namespace.popen(sys.executable, "-c", text,
                                                  stdout=file))
            wait_until(lambda log=log: "ready" in log.read_text(), 20, name)
        wait_until(self.times, 10, "the first bytes")

    def times(self):
        return [float(line) for line in self._log.read_text().split("\n")[1:-1]]

    def gap(self):
        """After the last silence it went on: it is heard again first."""
        asked = time.monotonic()
        wait_until(lambda: self.times()[-1] > asked, 20, "it goes on")
        times = self.times()
        return max(b - a for a, b in zip(times, times[1:]))

    def end(self):
        for end in self._ends:
            end.kill()
            end.wait()


def _upgrade(machine, *words, script=UPGRADE, wait=15):
    return machine.run(script, "-wait", str(wait), "-settle", "2", *words,
                       check=False)


@pytest.mark.alone
@pytest.mark.parametrize("side", ["client", "hub"], indirect=True)
def test_swaps_under_traffic(topology, gateway, machine, tmp_path, side):
    talk = Talk(topology, tmp_path, side)
    key = (machine.root / STATE / "static.key").read_bytes()
    first = machine.show(UNIT, "MainPID")
    done = _upgrade(machine, "-build", BUILD.resolve())
    assert done.returncode == 0, done.stdout
    ready = re.search(r"ready after (\S+) s; 1 peers up, before 1", done.stdout)
    assert ready, done.stdout
    gap = talk.gap()
    # A start takes longer than 0.5 s on a host that has other things to do; a
    # client that found nobody pauses for as long again, and 1 s at least.
    assert gap <= max(LONGEST_GAP_S, 2 + 2 * float(ready[1])), gap
    assert machine.show(UNIT, "MainPID") not in ("0", first)
    assert (machine.root / STATE / "static.key").read_bytes() == key
    talk.end()
    assert not list(machine.root.glob("var/lib/lightweight-tunnel-upgrade"))


def test_what_is_broken_goes(topology, gateway, machine, tmp_path):
    """The program is the one before, it runs, the tunnel carries, and the
    connection inside has lost nothing."""
    talk = Talk(topology, tmp_path)
    good = (machine.root / PROGRAM).read_bytes()
    for how in fake_version.BROKEN:
        fake = fake_version.make(machine.root / "srv/new", how)
        # What never comes up is waited for as long.
        done = _upgrade(machine, "-build", "/srv/new", wait=8)
        assert done.returncode == 3, (how, done.stdout)
        assert fake_version.SAID[how] in done.stdout, (how, done.stdout)
        assert "the version before runs again" in done.stdout, how
        assert (machine.root / PROGRAM).read_bytes() == good, how
        wait_until(lambda: _pings(topology), 10, f"carries after: {how}")
        assert machine.show(UNIT, "ActiveState") == "active"
        assert fake.exists()
    # As docs/service.md states it: -wait, and what the way back takes.
    assert talk.gap() < 8 + 20
    talk.end()
    assert not list(machine.root.glob("var/lib/lightweight-tunnel-upgrade"))


def test_changes_nothing_where_settings_are_refused(gateway, machine):
    """Before anything is touched: the process is the same."""
    first = machine.show(UNIT, "MainPID")
    settings = machine.root / "etc/lightweight-tunnel/office.toml"
    settings.write_text(settings.read_text() + "colour = 1\n")
    done = _upgrade(machine, "-build", BUILD.resolve())
    assert done.returncode == 1
    assert "refuses its settings; nothing was changed" in done.stdout
    assert machine.show(UNIT, "MainPID") == first


def test_a_tarball_installs_and_upgrades(topology, start, machine, tmp_path):
    start(topology.hub.namespace, server_arguments("10.0.0.1/24", key=KEY),
          "hub")
    run(REPOSITORY / "scripts/package.sh", "-tarball", "-o", tmp_path, "-build",
        BUILD)
    tarball, = tmp_path.glob("*.tar.gz")
    (machine.root / "srv/new.tar.gz").write_bytes(tarball.read_bytes())
    machine.run("tar", "-C", "/srv", "--one-top-level=new",
                "--strip-components=1", "-xf", "/srv/new.tar.gz")
    script = "/srv/new/scripts/install-service.sh"
    # What the host lacks is told by name, with where Debian has it.
    with (machine.root / "srv/new/libraries").open("a") as listed:
        listed.write("library libnowhere.so.7 libnowhere7\n"
                     "driver librte_net_nowhere.so.23 librte-net-nowhere23\n")
    (machine.root / "root/office.toml").write_text(_settings(topology))
    done = machine.run(script, "/root/office.toml", "office", check=False)
    assert done.returncode == 1
    assert re.findall(r"^  (\S+) \(Debian 12 has it in (\S+)\)", done.stdout,
                      re.M) == [("libnowhere.so.7", "libnowhere7"),
                                ("librte_net_nowhere.so.23",
                                 "librte-net-nowhere23")]
    assert not (machine.root / PROGRAM).exists()
    machine.run("sed", "-i", "/nowhere/d", "/srv/new/libraries")
    machine.run(script, "/root/office.toml", "office")
    wait_until(lambda: _pings(topology), 15, "the tunnel is up")
    first = machine.show(UNIT, "MainPID")
    done = _upgrade(machine, "-tarball", "/srv/new.tar.gz")
    assert done.returncode == 0, done.stdout
    assert machine.show(UNIT, "MainPID") not in ("0", first)


_TARGETS = ("lightweight-tunnel", "lwtctl", "manual-pages")
# By what ninja knows that they are built.
_STATE_OF_NINJA = ("build.ninja", ".ninja_log", ".ninja_deps",
                   "meson-private/coredata.dat")


class Clone:
    """A clone of this tree with its upstream, in the machine, of an ordinary
    user's, which was built before: what changes is built, and nothing else."""

    PATH = "/home/builder/tree"

    def __init__(self, machine):
        self._machine = machine
        machine.run("useradd", "--create-home", "builder")
        folder = machine.root / self.PATH[1:]
        run("cp", "-a", *(path for path in REPOSITORY.iterdir()
                          if not path.name.startswith((".git", "build"))),
            self._made(folder))
        wanted = run("ninja", "-C", BUILD, "-t", "inputs", *_TARGETS
                     ).stdout.split("\n")
        wanted = [word for word in wanted if (BUILD / word).is_file()
                  and not word.startswith((".", "/"))]
        run("cp", "-a", "--parents", *wanted, *_TARGETS, *_STATE_OF_NINJA,
            self._made(folder / "build-upgrade"), cwd=BUILD)
        (folder / ".gitignore").write_text("build-upgrade\n")
        machine.run("chown", "-R", "builder:", "/home/builder")
        for words in (("init", "-q", "-b", "main"), ("add", "-A"),
                      ("commit", "-q", "-m", "first"),
                      ("clone", "-q", "--bare", ".", "../upstream"),
                      ("remote", "add", "origin", "../upstream"),
                      ("fetch", "-q"),
                      ("branch", "-q", "-u", "origin/main"),
                      ("clone", "-q", "../upstream", "../other")):
            self.git(words)

    @staticmethod
    def _made(folder):
        folder.mkdir()
        return folder

    def git(self, words, folder=PATH):
        who = ("-c", "user.name=O", "-c", "user.email=o@example.com")
        return self._machine.run("runuser", "-u", "builder", "--", "git", "-C",
                                 folder, *who, *words).stdout

    def change_upstream(self, path, text):
        """A commit there, with `text` at the end of a file."""
        other = self._machine.root / "home/builder/other"
        with (other / path).open("a") as file:
            file.write(text)
        for words in (("commit", "-q", "-am", "next"), ("push", "-q")):
            self.git(words, "/home/builder/other")
        return self.git(("rev-parse", "--short", "HEAD"),
                        "/home/builder/other").strip()


def test_from_git_and_from_another_tree(gateway, machine):
    """Built as who owns it; what cannot be pulled or built changes nothing."""
    clone = Clone(machine)
    first = machine.show(UNIT, "MainPID")
    done = _upgrade(machine, "-no-test", "-tree", Clone.PATH)
    assert done.returncode == 0, done.stdout
    second = machine.show(UNIT, "MainPID")
    assert second not in ("0", first)
    before = clone.git(("rev-parse", "--short", "HEAD")).strip()
    after = clone.change_upstream("docs/CHANGELOG.md", "more\n")
    script = f"{Clone.PATH}/scripts/upgrade.sh"
    done = _upgrade(machine, "-no-test", script=script)
    assert done.returncode == 0, done.stdout
    assert f"{before} to {after}" in done.stdout
    third = machine.show(UNIT, "MainPID")
    assert third not in ("0", second)
    owners = machine.run("find", Clone.PATH, "-not", "-user", "builder").stdout
    assert owners == ""
    for path, text, sentence in (
            ("control/main.cc", "no C++\n", "the build; nothing was changed"),
            (None, None, "git pull; nothing was changed")):
        if path:
            clone.change_upstream(path, text)
        else:
            clone.git(("commit", "-q", "--amend", "-m", "another history"))
            clone.change_upstream("docs/CHANGELOG.md", "more\n")
        done = _upgrade(machine, "-no-test", script=script)
        assert done.returncode == 1, done.stdout
        assert sentence in done.stdout, done.stdout
        assert machine.show(UNIT, "MainPID") == third
