"""What an operator asks of a running gateway: its peers, whether one is up,
and what happened."""

import contextlib
import json
import re
import socket
import subprocess

from harness.gateway import LWTCTL
from harness.pair import Pair, no_ping_lost, reload
from harness.wait import wait_until

_NOBODY = "vD1t5yk9uMJvVJdTgNVbLRRfAMO3WlMKqkjXQUUuNWc="


def _rows(gateway):
    """First cell -> the others of its line."""
    lines = gateway.lwtctl("peers").stdout.splitlines()
    cells = [re.split(r"  +", line.strip()) for line in lines]
    return {row[0]: dict(zip(cells[0], row)) for row in cells[1:]}


def test_peers_that_are_here_and_that_are_away(topology, start, folder):
    pair = Pair(topology, start, folder)
    key = pair.client.status()["public_key"]
    pair.hub_file.tail = (
        f'[[peer]]\npublic_key = "{key}"\nname = "office"\n'
        f'[[peer]]\npublic_key = "{_NOBODY}"\nname = "branch"\n'
        'addresses = ["10.0.0.9"]\nallowed_ips = ["192.168.77.0/24"]\n')
    pair.hub_file.write()
    reload(pair.hub)
    assert pair.ping() == 3
    rows = _rows(pair.hub)
    assert rows["office"]["state"] == "up"
    assert rows["office"]["address"] == "10.0.0.2"
    assert rows["office"]["round trip"].endswith("ms")
    assert rows["branch"]["state"] == "offline"
    assert rows["branch"]["address"] == "10.0.0.9"
    assert rows["branch"]["networks"] == "192.168.77.0/24"
    listed = json.loads(pair.hub.lwtctl("peers", "-json").stdout)["peers"]
    assert [(peer["name"], peer["state"]) for peer in listed] == [
        ("office", "up"), ("branch", "offline")]
    assert listed[0]["rx_packets"] >= 3
    assert listed[1]["rtt_us"] is None
    remote = f"{topology.hub.v4}:9000"
    assert _rows(pair.client)[remote]["state"] == "up"


def test_exit_status_for_scripts(topology, start, folder):
    pair = Pair(topology, start, folder)
    assert pair.client.lwtctl("wait", "-up", "-t", "20").stdout == ""
    assert pair.client.lwtctl("status", check=False).returncode == 0
    pair.hub.stop()
    wait_until(lambda: pair.client.lwtctl("status",
                                          check=False).returncode == 5, 20,
               "the only peer is down")
    assert pair.client.status()["peers"][0]["state"] != "up"
    late = pair.client.lwtctl("wait", "-up", "-t", "0", check=False)
    assert (late.returncode, late.stdout) == (
        1, "lwtctl: no peer is up after 0 s; lwtctl status says why\n")
    pair.hub.start()
    assert pair.client.lwtctl("wait", "-up", "-t", "60").stdout == ""


def _silent_follower(path):
    one = socket.socket(socket.AF_UNIX)
    one.connect(str(path))
    one.sendall(b"events f\n")
    return one


def test_events_are_told_and_nobody_waits_for_who_does_not_read(
        topology, start, folder):
    pair = Pair(topology, start, folder)
    assert re.search(r"^\S+Z peer-up client 10\.0\.0\.2 up: ",
                     pair.hub.lwtctl("events").stdout, re.M)
    told = folder / "told"
    with contextlib.ExitStack() as stack:
        follower = subprocess.Popen(
            [LWTCTL, "-socket", pair.hub.socket, "events", "-f"],
            stdout=told.open("w"))
        stack.callback(follower.wait)
        stack.callback(follower.kill)
        for _ in range(10):
            stack.callback(_silent_follower(pair.hub.socket).close)
        with no_ping_lost(topology.client.namespace):
            pair.client_file.write(routes='["192.168.78.0/24"]')
            reload(pair.client)
            wait_until(lambda: "route client 10.0.0.2: networks behind it: "
                       "192.168.78.0/24" in told.read_text(), 20,
                       "a network is told")
            assert pair.hub.status()["peers"][0]["state"] == "up"
        pair.client.stop()
        wait_until(lambda: " peer-down client 10.0.0.2" in told.read_text(),
                   20, "that it went is told")
    # The log's lines are of the same structs.
    for line in told.read_text().splitlines():
        time, _, text = line.split(" ", 2)
        assert re.search(rf"^{time} \w+ +{re.escape(text)}$", pair.hub.log(),
                         re.M), line
