"""Who comes to a hub's door and is no client: neighbours that fail in a loop,
and hosts that repeat what they have overheard. Each beside the same without."""

import re
import socket
import subprocess
import sys
import time

import pytest

from harness import segments
from harness.gateway import PORT, client_arguments, server_arguments
from harness.wait import wait_until

_ALERT = bytes.fromhex("15030300020228")
_CHANGE_CIPHER_SPEC = bytes.fromhex("140303000101")
# ServerHello and ChangeCipherSpec.
_JOIN_ANSWER = 127 + 6

# Connects for ever, and says one byte each time, as no client does.
_KNOCK = """
import socket, sys
for i in range(1 << 30):
    try:
        with socket.socket() as knock:
            knock.connect((sys.argv[1], int(sys.argv[2])))
            knock.send(b"G")
    except OSError:
        pass  # the next one then: of ports there are only so many
    if i == 300:
        print("knocking", flush=True)
"""


def _start_hub(start, topology, *flags):
    hub = start(topology.hub.namespace,
                [*server_arguments("10.0.0.1/24"), *flags], "hub")
    hub.wait_up(peers=0)
    return hub


def _start_client(start, topology, number=0, label="client", tunnel=None):
    return start(topology.clients[number].namespace,
                 client_arguments(topology.hub.v4, tunnel or
                                  f"10.0.0.{2 + number}/24"), label)


def _seconds_until_up(start, topology, label, tunnel):
    began = time.monotonic()
    client = _start_client(start, topology, 0, label, tunnel)
    wait_until(lambda: "tunnel up" in client.log(), 10, f"{label} is up")
    took = time.monotonic() - began
    assert topology.client.namespace.ping("10.0.0.1", count=1) == 1
    assert client.stop() == 0
    return took


@pytest.fixture
def knocker():
    running = []

    def knock(host, hub):
        process = host.namespace.popen(sys.executable, "-c", _KNOCK, hub, PORT,
                                       stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout.readline() == "knocking\n"
        return process

    yield knock
    for process in running:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("seen_as", ["192.168.21.77", "192.168.21.2"],
                         ids=["neighbour", "behind-one-nat"])
def test_who_fails_in_a_loop_keeps_nobody_out(make_topology, start, knocker,
                                              seen_as):
    """The attacker is seen at the client's /24, or at its very address."""
    topology = make_topology(clients=2)
    attacker = topology.clients[1]
    topology.router.nft(f"""
        table ip nat {{
          chain leave {{
            type nat hook postrouting priority 100;
            ip saddr {attacker.v4} snat to {seen_as}
          }}
        }}""")
    hub = _start_hub(start, topology)
    quiet = _seconds_until_up(start, topology, "quiet", "10.0.0.2/24")
    process = knocker(attacker, topology.hub.v4)
    hub.wait_log(rf"{seen_as}:\d+ was turned away")
    beside = _seconds_until_up(start, topology, "beside", "10.0.0.3/24")
    assert process.poll() is None, "the attacker knocked all the time"
    assert beside <= 2 * quiet + 2


class _Path:
    """The router as somebody who overhears and holds back."""

    def __init__(self, topology):
        self._router = topology.router
        self._client = topology.client
        self._leg = topology.router.packet_socket(
            topology.client.namespace.label)
        self._leg.settimeout(0.1)

    def close(self):
        self._leg.close()

    def cut(self, port):
        """The client's flow of this port is dead from now on."""
        self._router.nft(f"""
            table ip cut {{
              chain forward {{
                type filter hook forward priority 20;
                tcp sport {port} drop
                tcp dport {port} drop
              }}
            }}""")

    def hold_back(self):
        """What the client says on other flows goes no further; what it is told
        does."""
        self._router.nft(f"""
            table ip hold {{
              chain forward {{
                type filter hook forward priority 30;
                ip saddr {self._client.v4} tcp dport {PORT} ip length > 100 drop
              }}
            }}""")

    def let_go(self):
        self._router.run("nft", "delete", "table", "ip", "hold")

    def hello(self):
        """The next ClientHello of the client, or None."""
        try:
            segment = segments.parse(0, self._leg.recv(65536))
        except TimeoutError:
            return None
        if (segment and segment.source[0] == self._client.v4 and
                segment.payload[:3] == b"\x16\x03\x01"):
            return segment.payload
        return None


@pytest.fixture
def path(make_topology):
    made = []

    def make(topology):
        made.append(_Path(topology))
        return made[-1]

    yield make
    for one in made:
        one.close()


def _ping_on(namespace):
    return namespace.popen("ping", "-q", "-i", "0.1", "10.0.0.1",
                           stdout=subprocess.DEVNULL)


def _everything(connection):
    """What comes until the other end closes."""
    heard = b""
    connection.settimeout(10)
    while octets := connection.recv(65536):
        heard += octets
    return heard


def test_a_repeated_join_gets_no_traffic(make_topology, start, path):
    """Overheard and held back on the path, said first by a third host."""
    topology = make_topology(clients=2)
    third = topology.clients[1].namespace
    hub = _start_hub(start, topology)
    client = _start_client(start, topology)
    client.wait_up()
    namespace = topology.client.namespace
    assert namespace.ping("10.0.0.1") == 3
    before = hub.status()["peers"][0]["endpoint"]
    overheard = path(topology)
    overheard.hold_back()
    overheard.cut(before.rpartition(":")[2])
    pings = _ping_on(namespace)
    try:
        hello = wait_until(overheard.hello, 15, "the client joins a new flow")
        connection = third.inside(
            lambda: socket.create_connection((topology.hub.v4, PORT), 5))
        connection.sendall(hello)
        answer = wait_until(lambda: connection.recv(_JOIN_ANSWER), 5,
                            "the hub answers")
        assert answer[:3] == b"\x16\x03\x03"
        connection.sendall(_CHANGE_CIPHER_SPEC)
        # Whatever the hub has for the client now is for the client.
        topology.hub.namespace.run("ping", "-q", "-c", 20, "-i", "0.01", "-W",
                                   "0.2", "10.0.0.2", check=False)
        assert hub.status()["peers"][0]["endpoint"] == before
        overheard.let_go()
        joined = hub.wait_status(
            lambda status: status["peers"] and
            status["peers"][0]["endpoint"] != before, 15,
            "the client's own flow is the lane")["peers"][0]
    finally:
        pings.kill()
        pings.wait()
    assert joined["endpoint"].startswith(f"{topology.client.v4}:")
    heard = answer + _everything(connection)
    connection.close()
    assert len(heard) in (_JOIN_ANSWER, _JOIN_ANSWER + len(_ALERT))
    assert "lane join failed" not in client.log()
    assert "calling again" not in client.log()
    assert namespace.ping("10.0.0.1") == 3
    assert topology.hub.namespace.ping("10.0.0.2") == 3


def _key_of(hub):
    return hub.status()["peers"][0]["public_key"]


def test_addresses_are_not_used_up_by_keys_that_come_and_go(topology, start):
    """Each client has a key of its own, and asks for an address that was
    another's a moment ago."""
    hub = _start_hub(start, topology)
    for label in ("first", "second"):
        client = _start_client(start, topology, 0, label, "10.0.0.7/24")
        client.wait_up()
        assert client.stop() == 0
        hub.wait_status(lambda status: status["peers"] == [], 5,
                        f"the {label} is gone")
    held = hub.state / "addresses"
    wait_until(lambda: held.exists() and "10.0.0.7 " not in held.read_text(),
               5, "nothing is held for them")


def test_a_banned_client_stays_out_until_it_is_unbanned(topology, start):
    hub = _start_hub(start, topology)
    client = _start_client(start, topology)
    client.wait_up()
    key = _key_of(hub)
    assert hub.lwtctl("peer", "banned").stdout == "no key is banned\n"
    forgotten = hub.lwtctl("peer", "forget", "10.0.0.0/24").stdout
    assert "10.0.0.2 is free" in forgotten
    # Its client is not kept away by that.
    hub.wait_up()
    assert "is banned" in hub.lwtctl("peer", "ban", key).stdout
    assert hub.status()["peers"] == []
    client.wait_log("banned by the operator")
    assert hub.lwtctl("peer", "banned").stdout == f"{key}\n"
    assert hub.status()["banned"] == [key]
    assert re.search(rf"banned +{re.escape(key)}", hub.lwtctl("status").stdout)
    banned = hub.state / "banned"
    wait_until(lambda: banned.exists() and key in banned.read_text(), 5,
               "the ban is written down")
    hub.kill()
    assert client.stop() == 0
    hub.start()
    hub.wait_up(peers=0)
    client.start()
    hub.wait_log(rf"client {re.escape(key)} at .* was refused")
    assert client.status()["peers"][0]["state"] != "up"
    assert "may come again" in hub.lwtctl("peer", "unban", key).stdout
    assert client.stop() == 0
    client.start()
    client.wait_up()
    refused = hub.lwtctl("peer", "unban", key, check=False)
    assert refused.returncode == 1 and "is not banned" in refused.stdout


def test_a_route_that_leads_nowhere_is_no_changed_key(topology, start):
    hub = _start_hub(start, topology)
    client = _start_client(start, topology)
    client.wait_up()
    hub.kill()
    namespace = topology.client.namespace
    namespace.ip("route", "add", "unreachable", f"{topology.hub.v4}/32")
    pings = _ping_on(namespace)
    try:
        # The first is a join; handshakes follow, which might know a key.
        wait_until(lambda: client.log().count("no route to") >= 4, 20,
                   "the route is the reason, time and again")
        reason = client.status()["peers"][0]["reason"]
        assert "no route to" in reason
        assert "posing" not in client.log()
    finally:
        pings.kill()
        pings.wait()
    namespace.ip("route", "delete", "unreachable", f"{topology.hub.v4}/32")
    hub.start()
    hub.wait_up()
    assert "posing" not in client.log()
