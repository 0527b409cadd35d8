"""The hub gives its clients another shared key while they run."""

import contextlib
import os
import re

import pytest
from harness.gateway import KEY, PORT
from harness.pair import no_ping_lost
from harness.traffic import Iperf
from harness.wait import wait_until

_FULL = os.environ.get("LWT_E2E") == "full"
_ROTATIONS = 50 if _FULL else 4
_HUB_FILE = f"""# The hub in the cellar.
mode = "server"
local_addr = "0.0.0.0:{PORT}"
  key   =  '{KEY}'   # ask Ann for it
tunnel_addr = "10.0.0.1/24"

[uplink]
driver = "af_packet"
"""


def _rotation(hub):
    """(have it, connected, away)"""
    text = hub.lwtctl("rotation").stdout
    found = re.search(r"(\d+) of (\d+) connected.*\n(\d+) that are away", text)
    return tuple(map(int, found.groups())) if found else None


def _rotate(hub, clients):
    wait_until(lambda: hub.lwtctl("rotate-key", check=False).returncode == 0,
               20, "a rotation begins")
    wait_until(lambda: _rotation(hub) is not None, 20, "it is written")
    wait_until(lambda: (_rotation(hub) or ())[:2] == (clients, clients), 20,
               "all clients have the key")


class Site:
    """A hub and three clients that have the key in a file of settings, in a
    key file, and from a flag."""

    def __init__(self, topology, start, folder):
        self.start, self.topology = start, topology
        self.hub_file = folder / "hub.toml"
        self.hub_file.write_text(_HUB_FILE)
        self.hub_file.chmod(0o640)
        self.client_file = folder / "client.toml"
        self.client_file.write_text(
            f'mode = "client"\nkey = "{KEY}" # shared\n'
            f'remote_addr = "{topology.hub.v4}:{PORT}"\n'
            'tunnel_addr = "10.0.0.2/24"\n')
        self.key_file = folder / "key"
        self.key_file.write_text(f"{KEY}\nthe first line counts\n")
        for path in (self.client_file, self.key_file):
            path.chmod(0o600)
        remote = f"{topology.hub.v4}:{PORT}"
        self.arguments = {
            "hub": ["-c", self.hub_file],
            "file": ["-c", self.client_file],
            "key-file": ["-m", "client", "-r", remote, "-t", "10.0.0.3/24",
                         "-key-file", self.key_file],
            "flag": ["-m", "client", "-r", remote, "-t", "10.0.0.4/24", "-k",
                     KEY],
        }
        self.hosts = dict(zip(("file", "key-file", "flag"), topology.clients))
        self.hub = start(topology.hub.namespace, self.arguments["hub"], "hub")
        self.clients = {name: self.run(name) for name in self.hosts}
        for client in self.clients.values():
            client.wait_up()

    def run(self, name):
        return self.start(self.hosts[name].namespace, self.arguments[name],
                          name)


@contextlib.contextmanager
def _transfer(site):
    """From one of the clients, until the end; at a rate that leaves the CPUs room,
    so that a ping that is lost is the rotation's."""
    run = Iperf(site.topology.hub.namespace, site.hosts["file"].namespace,
                "10.0.0.1", "-t", "3600", "-b", "100M", seconds=0)
    yield
    assert run.goes_on(), "the transfer ended"
    run.stop()


@pytest.fixture
def site(make_topology, start, folder):
    return Site(make_topology(clients=3), start, folder)


def test_keys_rotate_under_traffic_and_outlive_every_process(site):
    with contextlib.ExitStack() as stack:
        for host in site.hosts.values():
            stack.enter_context(no_ping_lost(host.namespace))
        if _FULL:
            stack.enter_context(_transfer(site))
        for _ in range(_ROTATIONS):
            _rotate(site.hub, 3)
        # And by the clock; the file is edited just after it was written.
        text = site.hub_file.read_text()
        site.hub_file.write_text("config_push_interval = 4\n" + text)
        assert (site.hub.lwtctl("reload").stdout ==
                "applied: config_push_interval\n")
        before = site.hub.log().count("the new shared key counts")
        wait_until(lambda: site.hub.log().count("the new shared key counts") >
                   before, 20, "it rotates by the clock")
        text = site.hub_file.read_text()
        site.hub_file.write_text(text.replace("config_push_interval = 4\n",
                                              ""))
        site.hub.lwtctl("reload")
        wait_until(lambda: (_rotation(site.hub) or ())[:2] == (3, 3), 20,
                   "all clients have the last key")
    key = re.search(r"lwt1:[\w-]{46}", site.hub_file.read_text()).group()
    # All else stays as the operator wrote it.
    assert site.hub_file.read_text() == _HUB_FILE.replace(
        f"'{KEY}'", f'"{key}"')
    assert site.hub_file.stat().st_mode & 0o777 == 0o640
    assert f'key = "{key}" # shared\n' in site.client_file.read_text()
    assert site.key_file.read_text() == f"{key}\nthe first line counts\n"
    kept = site.clients["flag"].state / "shared_key"
    assert kept.read_text().splitlines()[2] == key
    assert kept.stat().st_mode & 0o777 == 0o600
    for gateway in (site.hub, *site.clients.values()):
        assert key not in gateway.log() and KEY not in gateway.log()
        gateway.kill()
    for gateway in (site.hub, *site.clients.values()):
        gateway.start()
    for client in site.clients.values():
        client.wait_up()
        log = client.log().rpartition("ready: ")[2]
        assert "of before" not in log, log
    assert "the shared key is the one of" in site.clients["flag"].log()
    # A reload finds the same key, by settings or by the state directory.
    for gateway in (site.hub, *site.clients.values()):
        answer = gateway.lwtctl("reload").stdout
        assert answer == "nothing has changed\n", gateway.label


def test_a_client_that_was_away_comes_by_the_key_before(site):
    away = site.clients["file"]
    away.kill()
    site.hub.lwtctl("rotate-key")
    site.hub.wait_log("the new shared key is in ")
    away.start()
    away.wait_up()
    wait_until(lambda: "lwt1:" in site.client_file.read_text(), 10,
               "it has the new key")
    away.kill()
    away.start()
    away.wait_up()
    log = site.hub.log().rpartition("client 10.0.0.2 up")[2]
    assert "by a shared key of before" not in log.splitlines()[0], log


@pytest.mark.parametrize("moment", ["asked", "written", "given"])
def test_a_hub_that_dies_while_it_rotates_locks_nobody_out(site, moment):
    site.hub.lwtctl("rotate-key")
    if moment == "written":
        wait_until((site.hub.state / "rotation").exists, 10, "it is written")
    if moment == "given":
        wait_until(lambda: (_rotation(site.hub) or (0,))[0] > 0, 10,
                   "one has it")
    site.hub.kill()
    for client in site.clients.values():
        client.kill()
    site.hub.start()
    for client in site.clients.values():
        client.start()
    for client in site.clients.values():
        client.wait_up(20)
    if moment == "asked":
        return
    wait_until(lambda: (_rotation(site.hub) or ())[:2] == (3, 3), 20,
               "the rotation goes on")


def test_a_client_has_no_key_to_give(site):
    done = site.clients["flag"].lwtctl("rotate-key", check=False)
    assert done.returncode == 1
    assert "this is a client" in done.stdout + (done.stderr or "")
