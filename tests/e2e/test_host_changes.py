"""What becomes of the host while gateways run: routes move, interfaces go, come
back and change their names. The kernels' own traffic goes through the same."""

import os
import time

import pytest
from harness.gateway import client_arguments, server_arguments
from harness.snapshot import assert_unchanged, difference, host_snapshot
from harness.steady import Connection, Pings
from harness.topology import plain_leg
from harness.variant import Variant
from harness.wait import wait_until

_HUB = "10.0.0.1"
# The longest that traffic may stand still once there is a way.
_GAP_S = 3
_FULL = os.environ.get("LWT_E2E") == "full"
_WITHOUT_XDP = Variant("af_packet")


class Provider:
    """A second way of a host to the router, by an interface of its own."""

    def __init__(self, topology, host, device="eth1", number=31):
        self.topology, self.host, self.device = topology, host, device
        self.number = number
        self.v4 = f"192.168.{number}.2"
        self.gateway_v4 = f"192.168.{number}.1"
        self.plug()

    @property
    def _leg(self):
        return f"{self.host.namespace.label}-{self.number}"

    def plug(self):
        """As a modem or a ppp line comes: a new interface, its address."""
        namespace, router = self.host.namespace, self.topology.router
        namespace.ip("link", "add", self.device, "type", "veth", "peer",
                     "name", self._leg, "netns", router.name)
        namespace.ip("address", "add", f"{self.v4}/24", "dev", self.device)
        router.ip("address", "add", f"{self.gateway_v4}/24", "dev", self._leg)
        plain_leg(namespace, self.device)
        plain_leg(router, self._leg)

    def unplug(self):
        self.host.namespace.ip("link", "delete", self.device)

    def lead(self):
        """The default route goes this way from now on."""
        self.host.namespace.ip("-4", "route", "replace", "default", "via",
                               self.gateway_v4)


class First(Provider):
    """The one that the topology has made."""

    def __init__(self, topology, host):
        self.topology, self.host, self.device = topology, host, "eth0"
        self.number = int(host.v4.split(".")[2])
        self.v4, self.gateway_v4 = host.v4, host.gateway_v4

    @property
    def _leg(self):
        return self.host.namespace.label


def _same_session(hub):
    """What a new handshake of the client would change."""
    peers = hub.status()["peers"]
    assert len(peers) == 1, peers
    return time.monotonic() - peers[0]["last_handshake_s"]


class _Traffic:
    """Through the tunnel, and beside it by the kernel alone."""

    def __init__(self, topology, hub):
        client, server = topology.client.namespace, topology.hub.namespace
        self._hub, self._since = hub, _same_session(hub)
        self._inside = Pings(client, _HUB)
        self._beside = Pings(client, topology.hub.v4)
        self._connection = Connection(server, client, _HUB)

    def end(self, slack_s=0.0):
        """The tunnel's gap is no longer than the kernel's own and what it may
        take to find the next way; `slack_s`: while there was none."""
        gap, beside = self._inside.end(), self._beside.end()
        self._connection.end()
        assert gap <= beside + _GAP_S + slack_s, (gap, beside)
        assert abs(_same_session(self._hub) - self._since) < 2, \
            "there was another handshake"
        return gap, beside


def _goes_by(client, device):
    client.wait_status(
        lambda status: status["uplink"]["device"] == device and
        status["peers"][0]["state"] == "up", 10, f"up by {device}")


def test_default_route_moves_between_two_providers(topology, start, variant):
    first = First(topology, topology.client)
    second = Provider(topology, topology.client)
    hub, client = start.pair(topology, variant)
    traffic = _Traffic(topology, hub)
    for provider in (second, first):
        provider.lead()
        _goes_by(client, provider.device)
        hub.wait_status(
            lambda status: status["peers"][0]["endpoint"].startswith(
                provider.v4), 5, "the hub answers there")
    traffic.end()
    assert "posing" not in client.log()


@pytest.mark.parametrize("side", ["client", "hub"])
def test_interface_is_deleted_and_made_again(topology, start, side):
    """On the client a ppp line or an LTE modem; its number is another one."""
    hub, client = start.pair(topology, _WITHOUT_XDP)
    first = First(topology, getattr(topology, side))
    traffic = _Traffic(topology, hub)
    began = time.monotonic()
    first.unplug()
    {"client": client, "hub": hub}[side].wait_log(
        "no uplink: .*; waiting for one")
    first.plug()
    first.lead()
    away = time.monotonic() - began
    _goes_by(client, "eth0")
    traffic.end(slack_s=away)


@pytest.mark.parametrize("side", ["hub", "client"])
def test_interface_is_renamed(topology, start, side):
    """The guard is the new name's at once; the flows go on as they were."""
    hub, client = start.pair(topology, _WITHOUT_XDP)
    host, gateway = ((topology.hub, hub) if side == "hub" else
                     (topology.client, client))
    traffic = _Traffic(topology, hub)
    # As udev does while the interface is up.
    host.namespace.ip("link", "set", "eth0", "name", "wan0")
    gateway.wait_status(
        lambda status: status["uplink"]["device"] == "wan0", 5, "its new name")
    ruleset = host.namespace.output("nft", "list", "ruleset")
    assert '"wan0"' in ruleset or "device wan0" in ruleset, ruleset
    gap, _ = traffic.end()
    assert gap <= _GAP_S
    endpoint = hub.status()["peers"][0]["endpoint"]
    assert endpoint.startswith(topology.client.v4)


def test_link_goes_down_and_up(topology, start):
    hub, client = start.pair(topology, _WITHOUT_XDP)
    namespace = topology.client.namespace
    traffic = _Traffic(topology, hub)
    began = time.monotonic()
    namespace.ip("link", "set", "eth0", "down")
    client.wait_log("uplink eth0 is down")
    namespace.ip("link", "set", "eth0", "up")
    First(topology, topology.client).lead()
    away = time.monotonic() - began
    _goes_by(client, "eth0")
    traffic.end(slack_s=away)


def test_the_tunnel_device_is_ours(topology, start):
    """What networkd and NetworkManager do to devices that they take for theirs,
    by the same commands."""
    hub, client = start.pair(topology, Variant())
    namespace = topology.client.namespace

    def answers():
        return namespace.ping(_HUB, 1, timeout=1)

    for words, said in ((("link", "set", "lwt0", "down"), "it is up again"),
                        (("address", "flush", "dev", "lwt0"), "it is back"),
                        (("link", "set", "lwt0", "mtu", "600"), "")):
        began = time.monotonic()
        namespace.ip(*words)
        wait_until(answers, _GAP_S, f"traffic after {words}")
        assert time.monotonic() - began < _GAP_S
        assert said in client.log()
    assert _HUB.rpartition(".")[0] in namespace.ip("route", "show", "dev",
                                                   "lwt0")
    second = start(namespace, [
        *client_arguments(topology.hub.v4, "10.9.0.2/24"), "-tun-name", "lwt0"
    ], "second")
    second.wait_log("ready: client, lwt1")
    assert "ip link del" not in second.log()
    assert f"lightweight-tun (pid {client.pid})" in second.log()
    assert "this tunnel's device is lwt1" in second.log()
    second.stop()
    start.gateways.remove(second)
    assert client.running()

    namespace.ip("link", "delete", "lwt0")
    assert client.wait_exit(5) == 1
    assert "the tunnel device lwt0 was deleted" in client.log()
    start.gateways.remove(client)
    assert hub.running()


@pytest.mark.parametrize("tunnel, remote, said", [
    ("192.168.21.9/24", None, "shares addresses with 192.168.21.0/24 of eth0"),
    ("10.44.0.9/24", "10.44.0.0/24", "a route leads 10.44.0.0/24"),
    ("192.168.10.9/24", None,
     "192.168.10.2 lies within the tunnel's own network 192.168.10.0/24"),
])
def test_a_network_that_is_taken(topology, start, tunnel, remote, said):
    if remote:
        topology.client.namespace.ip("route", "add", remote, "via",
                                     topology.client.gateway_v4)
    client = start(topology.client.namespace,
                   client_arguments(topology.hub.v4, tunnel), "client")
    assert client.wait_exit(10) == 2, client.log()
    assert said in client.log()
    start.gateways.remove(client)


def test_a_network_that_is_taken_on_the_way(topology, start):
    """As in a hotel's LAN: said, and shown, and gone with it."""
    _, client = start.pair(topology, Variant())
    namespace = topology.client.namespace
    namespace.ip("link", "add", "hotel", "type", "veth", "peer", "name",
                 "lobby")
    namespace.ip("link", "set", "hotel", "up")
    namespace.ip("address", "add", "10.0.0.77/16", "dev", "hotel")
    overlap = "shares addresses with 10.0.0.0/16 of hotel"
    client.wait_log(overlap)
    assert overlap in client.status()["tunnel"]["reason"]
    namespace.ip("link", "delete", "hotel")
    client.wait_status(lambda status: overlap not in status["tunnel"]["reason"],
                       5, "it is gone")


def test_static_neighbours_are_the_hosts(topology, start):
    """Permanent ones, and those of a daemon that routes."""
    namespace = topology.client.namespace
    gateway = topology.client.gateway_v4
    assert namespace.ping(gateway, 1)
    mac = namespace.ip("neighbour", "show", gateway).split("lladdr ")[1][:17]
    namespace.ip("neighbour", "replace", gateway, "lladdr", mac, "dev", "eth0",
                 "nud", "permanent")
    before = host_snapshot([namespace])
    hub, client = start.pair(topology, _WITHOUT_XDP)
    assert any("PERMANENT" in line for line in before)
    assert namespace.ping(_HUB, 2) == 2
    assert "PERMANENT" in namespace.ip("neighbour", "show", gateway)
    assert client.stop() == 0
    assert hub.stop() == 0
    assert_unchanged(before, host_snapshot([namespace]))


# What an operator does to a host, and what takes it back.
_BY_OTHERS = [
    (["ip", "address", "add", "192.0.2.77/32", "dev", "eth0"],
     ["ip", "address", "del", "192.0.2.77/32", "dev", "eth0"]),
    (["ip", "route", "add", "198.51.100.0/24", "via", "{gateway}"],
     ["ip", "route", "del", "198.51.100.0/24"]),
    (["ip", "rule", "add", "fwmark", "7", "table", "77"],
     ["ip", "rule", "del", "fwmark", "7", "table", "77"]),
    (["ip", "neighbour", "add", "{net}.99", "lladdr", "02:00:00:00:00:99",
      "dev", "eth0", "nud", "permanent"],
     ["ip", "neighbour", "del", "{net}.99", "dev", "eth0"]),
    (["ip", "link", "set", "eth0", "mtu", "1400"],
     ["ip", "link", "set", "eth0", "mtu", "1500"]),
    (["sysctl", "-qw", "net.ipv4.conf.eth0.rp_filter=2"],
     ["sysctl", "-qw", "net.ipv4.conf.eth0.rp_filter=0"]),
    (["tc", "qdisc", "add", "dev", "eth0", "root", "pfifo", "limit", "77"],
     ["tc", "qdisc", "del", "dev", "eth0", "root"]),
    (["nft", "add", "table", "inet", "others"],
     ["nft", "delete", "table", "inet", "others"]),
    (["ethtool", "-K", "eth0", "sg", "off"],
     ["ethtool", "-K", "eth0", "sg", "on"]),
]


def test_what_others_changed_meanwhile_stays(topology, start):
    """Afterwards the host is as it would be had nobody but they been there."""
    host = topology.client
    namespace = host.namespace
    assert namespace.ping(topology.hub.v4, 1)

    def do(undo):
        for pair in _BY_OTHERS[::-1] if undo else _BY_OTHERS:
            namespace.run(*(word.format(gateway=host.gateway_v4,
                                        net=host.v4.rpartition(".")[0])
                            for word in pair[undo]))

    before = host_snapshot([namespace])
    do(undo=False)
    changed = host_snapshot([namespace])
    assert len(difference(before, changed)) >= len(_BY_OTHERS)
    do(undo=True)
    assert_unchanged(before, host_snapshot([namespace]))
    hub, client = start.pair(topology, _WITHOUT_XDP)
    do(undo=False)
    wait_until(lambda: namespace.ping(_HUB, 1, timeout=1), 10, "traffic")
    for gateway in (client, hub):
        assert gateway.stop() == 0
    assert_unchanged(changed, host_snapshot([namespace]))


@pytest.mark.parametrize("by", ["address", "name", "interface"])
def test_gateways_before_the_network(topology, start, by):
    """Both start while no interface is there but the loopback."""
    hosts = [First(topology, topology.hub), First(topology, topology.client)]
    for host in hosts:
        host.unplug()
    flags = ["-uplink-interface", "eth0"] if by == "interface" else []
    remote = topology.hub.v4
    hub = start(topology.hub.namespace,
                [*server_arguments("10.0.0.1/24"), *flags], "hub")
    arguments = client_arguments(remote, "10.0.0.2/24")
    if by == "name":
        arguments[arguments.index("-r") + 1] = "hub.test.invalid:9000"
    client = start(topology.client.namespace, [*arguments, *flags], "client")
    for gateway in (hub, client):
        gateway.wait_log("no uplink: .*; waiting for one")
        gateway.wait_log("ready: ", timeout=15)
        assert "no uplink" in gateway.status()["uplink"]["reason"]
        assert not gateway.status()["uplink"]["up"]
    for host in hosts:
        host.plug()
        host.lead()
    if by == "name":
        # Nobody resolves it here; that the uplink is found is what counts.
        client.wait_status(lambda status: status["uplink"]["device"] == "eth0",
                           5, "the uplink")
        return
    began = time.monotonic()
    wait_until(lambda: topology.client.namespace.ping(_HUB, 1, timeout=1), 10,
               "traffic")
    assert time.monotonic() - began < _GAP_S + 2


def _bad_checksums(namespace):
    """Segments and datagrams that the kernel took for damaged so far."""
    lines = namespace.output("cat", "/proc/net/snmp").splitlines()
    tables = [dict(zip(names.split(), numbers.split()))
              for names, numbers in zip(lines[::2], lines[1::2])]
    found = [int(table["InCsumErrors"]) for table in tables
             if "InCsumErrors" in table]
    assert len(found) >= 3, "TCP, UDP and ICMP count them"
    return sum(found)


@pytest.mark.parametrize("moves", [6 if _FULL else 3])
def test_a_client_that_moves_on_and_on(topology, start, moves):
    """Between interfaces that come and go, as on a journey. What comes out of
    the tunnel is whole: its checksums are the kernel's to judge."""
    ways = [First(topology, topology.client),
            Provider(topology, topology.client)]
    hub, client = start.pair(topology, Variant())
    traffic = _Traffic(topology, hub)
    for move in range(moves):
        here, there = ways[(move + 1) % 2], ways[move % 2]
        if move > 0:
            here.plug()
        here.lead()
        there.unplug()
        _goes_by(client, here.device)
        wait_until(lambda: topology.client.namespace.ping(_HUB, 1, timeout=1),
                   _GAP_S, "traffic")
    gap, _ = traffic.end()
    assert gap <= _GAP_S
    for host in (topology.hub, topology.client):
        assert _bad_checksums(host.namespace) == 0
