"""Hosts of two LANs reach each other through their gateways' LAN ports; the
kernels of the gateways forward nothing."""

import re

import pytest

from harness.gateway import client_arguments, server_arguments
from harness.lan import Lan, MemifLan
from harness.snapshot import assert_unchanged, host_snapshot
from harness.traffic import transfer
from harness.variant import Variant
from harness.wait import wait_until

_HUB_TUNNEL, _CLIENT_TUNNEL = "10.0.0.1/24,fd11::1/64", "10.0.0.2/24,fd11::2/64"
_VARIANTS = [
    Variant(),
    Variant(tunnel_port="tap", super_frames=False),
    Variant(workers=2),
]


@pytest.fixture
def lans(topology):
    made = [Lan(topology.hub.namespace, 1), Lan(topology.client.namespace, 2)]
    yield made
    for lan in made:
        lan.delete()


def _public_key(gateway):
    return gateway.status()["public_key"]


class _Site:
    """Both gateways with a LAN port each. The client's key is known by a first
    run of it, as an operator would have it."""

    def __init__(self, topology, start, folder, lans, variant):
        self.hub_lan, self.client_lan = lans
        self.client = start(topology.client.namespace, [
            *client_arguments(topology.hub.v4, _CLIENT_TUNNEL, variant),
            *self.client_lan.arguments()
        ], "client")
        self.client.wait_status(lambda status: True, 10, "it answers")
        settings = folder / "hub.toml"
        settings.write_text(f"""
[[peer]]
public_key = "{_public_key(self.client)}"
allowed_ips = "{self.client_lan.networks}"
""")
        self.hub = start(topology.hub.namespace, [
            "-c", settings, *server_arguments(_HUB_TUNNEL, variant),
            *self.hub_lan.arguments(), "-routes", self.hub_lan.networks
        ], "hub")
        self.wait_up()

    def wait_up(self):
        self.client.wait_up()
        self.hub.wait_up()

    @property
    def gateways(self):
        return [self.hub, self.client]


@pytest.fixture
def site(topology, start, folder, lans):
    return lambda variant=Variant(): _Site(topology, start, folder, lans,
                                           variant)


def _warm(lans, family):
    """The first packet to a host whose link-layer address is unknown is lost,
    as with any router that holds none back."""
    wait_until(
        lambda: lans[0].host.ping(lans[1].address(family), count=1, timeout=1),
        10, "the LANs reach each other")


@pytest.mark.parametrize("variant", _VARIANTS, ids=str)
def test_lans_reach_each_other_past_the_kernels(site, lans, variant):
    sides = site(variant)
    one, two = lans
    for family in (4, 6):
        _warm(lans, family)
        assert one.host.ping(two.address(family)) == 3
        assert two.host.ping(one.address(family)) == 3
        transfer(one.host, two.host, two.address(family), 16 << 20)
        transfer(two.host, one.host, one.address(family), 16 << 20)
    for gateway, lan in zip(sides.gateways, lans):
        counters = gateway.counters()
        assert counters["lan_rx_packets"] > 0
        assert counters["lan_tx_packets"] > 0
        assert lan.seen_by_kernel() == 0
        if variant.super_frames:
            assert counters["lan_rx_super"] > 0
            assert counters["lan_tx_super"] > 0
        # The tunnel device carried none of it.
        assert counters["tunnel_tx_packets"] < 100


def test_networks_follow_a_reload(site, lans, folder):
    """A network behind a client that comes and goes: its packets are the
    port's, and else the kernel's."""
    sides = site()
    one, two = lans
    settings = folder / "hub.toml"
    with_peer = settings.read_text()
    for family in (4, 6):
        _warm(lans, family)
    guard = one.gateway.output("nft", "list", "ruleset")
    assert "10.2.0.0" in guard and "fd00:12::" in guard
    settings.write_text("")
    assert "allowed_ips" in sides.hub.lwtctl("reload").stdout
    taken = sides.hub.counters()["lan_rx_packets"]
    for family in (4, 6):
        assert one.host.ping(two.address(family), count=1, timeout=1) == 0
    assert sides.hub.counters()["lan_rx_packets"] == taken
    guard = one.gateway.output("nft", "list", "ruleset")
    assert "10.2.0.0" not in guard and "fd00:12::" not in guard
    settings.write_text(with_peer)
    assert "allowed_ips" in sides.hub.lwtctl("reload").stdout
    before = one.seen_by_kernel()
    for family in (4, 6):
        _warm(lans, family)
        assert one.host.ping(two.address(family)) == 3
        assert two.host.ping(one.address(family)) == 3
    assert one.seen_by_kernel() == before
    # The LAN's own network leads nowhere else.
    settings.write_text(with_peer + """
[[peer]]
public_key = "vD1t5yk9uMJvVJdTgNVbLRRfAMO3WlMKqkjXQUUuNWc="
allowed_ips = "10.1.0.0/25"
""")
    refused = sides.hub.lwtctl("reload", check=False)
    assert refused.returncode == 1
    assert "which an entry [[peer]] gives to a client" in refused.stdout


def test_a_memif_is_a_lan(topology, start, folder):
    """One side's LAN is a memif: its kernel side is a twin device, which has
    the ARP, the neighbours and the gateway's own addresses."""
    lans = [Lan(topology.hub.namespace, 1),
            MemifLan(topology.client.namespace, 2, folder)]
    try:
        sides = _Site(topology, start, folder, lans, Variant(workers=1))
        lans[1].connect()
        one, two = lans
        for family in (4, 6):
            _warm(lans, family)
            assert one.host.ping(two.address(family)) == 3
            assert two.host.ping(one.address(family)) == 3
            transfer(one.host, two.host, two.address(family), 4 << 20)
            transfer(two.host, one.host, one.address(family), 4 << 20)
        assert two.host.ping(two.gateway_v4) == 3
        assert two.host.ping(two.gateway_v6) == 3
        assert two.seen_by_kernel() == 0
        text = two.host.output("ping", "-n", "-c", 1, one.v4)
        assert re.search(r"ttl=62 ", text), text
        counters = sides.client.counters()
        assert counters["lan_rx_packets"] > 0
        assert counters["lan_twin_frames"] > 0
        # The other program may come back, and so may a killed gateway.
        two.disconnect()
        two.connect()
        _warm(lans, 4)
        sides.client.kill()
        assert "lwt0-lan" not in two.gateway.ip("link")
        two.disconnect()
        sides.client.start()
        sides.wait_up()
        two.connect()
        _warm(lans, 4)
        assert sides.client.stop() == 0
        assert not two.socket.exists()
    finally:
        for lan in lans:
            lan.delete()


def test_hops_are_counted_and_answered(site, lans):
    site()
    one, two = lans
    for family in (4, 6):
        _warm(lans, family)
        text = one.host.output("ping", "-n", "-c", 1, two.address(family))
        assert re.search(r"ttl=62 ", text), text
    # Each gateway says that the hops ended: the near one by its LAN address,
    # the far one by the one in the tunnel.
    expected = {
        4: (one.gateway_v4, "10.0.0.2"),
        6: (one.gateway_v6, "fd11::2")
    }
    for family in (4, 6):
        for hops, router in enumerate(expected[family], start=1):
            text = one.host.run("ping", "-n", "-c", 1, "-W", 3, "-t", hops,
                                two.address(family), check=False).stdout
            assert re.search(rf"From {router}.* (Time to live|Hop limit|Time) "
                             "exceeded|From " + router + r".*exceeded", text,
                             re.IGNORECASE), text
    assert lans[0].seen_by_kernel() == 0


def test_senders_learn_the_mtu(site, lans):
    sides = site()
    one, two = lans
    for family, headers in ((4, 28), (6, 48)):
        _warm(lans, family)
        mtu = sides.hub.status()["peers"][0]["mtu"]
        fits = one.host.run("ping", "-n", "-c", 1, "-W", 3, "-M", "do", "-s",
                            mtu - headers, two.address(family), check=False)
        assert fits.returncode == 0, fits.stdout
        text = one.host.run("ping", "-n", "-c", 1, "-W", 3, "-M", "do", "-s",
                            mtu - headers + 1, two.address(family),
                            check=False).stdout
        assert re.search(rf"mtu ?= ?{mtu}|mtu: {mtu}", text), text


def test_what_may_be_cut_is_cut(site, lans):
    """Datagrams that their host has cut for its own link, without DF."""
    site()
    one, two = lans
    _warm(lans, 4)
    assert one.host.ping(two.v4, size=4000) == 3
    assert two.host.ping(one.v4, size=20000) == 3


def test_hosts_reach_the_gateways_themselves(site, lans):
    """What is the kernel's stays the kernel's: ARP, its addresses in the LAN
    and in the tunnel, and what it sends itself."""
    sides = site()
    one, two = lans
    for family in (4, 6):
        _warm(lans, family)
    assert one.host.ping(one.gateway_v4) == 3
    assert one.host.ping(one.gateway_v6) == 3
    assert one.host.ping("10.0.0.1") == 3  # its own gateway's tunnel address
    assert one.host.ping("10.0.0.2") == 3  # that of the far gateway
    assert one.host.ping(two.gateway_v4) == 3
    assert one.host.ping(two.gateway_v6) == 3
    # A gateway itself reaches the far LAN, by the tunnel device.
    assert sides.hub.namespace.ping(two.v4) == 3
    assert sides.client.namespace.ping(one.v6) == 3


def test_a_source_that_is_not_allowed_is_dropped(site, lans):
    sides = site()
    one, two = lans
    _warm(lans, 4)
    two.host.ip("address", "add", "10.9.0.2/32", "dev", "lo")
    two.host.run("ping", "-n", "-c", 2, "-W", 1, "-I", "10.9.0.2", one.v4,
                 check=False)
    assert sides.hub.drops()["inner_source"] >= 2


def test_a_host_that_moves_is_found_again(site, lans):
    """Its link-layer address changes, as with a standby host."""
    sides = site()
    one, two = lans
    _warm(lans, 4)
    two.host.ip("link", "set", "eth0", "address", "02:00:00:00:77:01")
    two.host.ip("route", "replace", "default", "via", two.gateway_v4)
    # The host says so by the first frame that asks for its gateway.
    two.host.ping(two.gateway_v4, count=1)
    wait_until(lambda: one.host.ping(two.v4, count=1, timeout=1), 30,
               "the new address is used")
    assert sides.client.running()


@pytest.mark.alone
def test_nothing_is_left_of_it(topology, site, lans):
    _warm_kernels(topology, lans)
    spaces = [topology.hub.namespace, topology.client.namespace]
    before = host_snapshot(spaces)
    sides = site()
    _warm(lans, 4)
    assert sides.hub.stop() == 0
    sides.client.kill()
    wait_until(
        lambda: "netdev" not in topology.client.namespace.output(
            "nft", "list", "ruleset"), 2, "the ingress table is gone")
    # The kernel of the killed one has its traffic back at once.
    assert lans[1].host.ping(lans[1].gateway_v4) == 3
    # And a new start takes over again.
    for gateway in sides.gateways:
        gateway.start()
    sides.wait_up()
    _warm(lans, 4)
    assert lans[1].host.ping(lans[0].v4) == 3
    for gateway in sides.gateways:
        assert gateway.stop() == 0
    assert_unchanged(before, host_snapshot(spaces))


def _warm_kernels(topology, lans):
    assert topology.client.namespace.ping(topology.hub.v4) == 3
    for lan in lans:
        assert lan.host.ping(lan.gateway_v4) == 3
        assert lan.host.ping(lan.gateway_v6) == 3


@pytest.mark.parametrize("port, prepare, message", [
    ("nosuch", (), "lan_port nosuch: no network interface is named nosuch"),
    ("eth0", (), "lan_port eth0 is the uplink"),
    ("lo", (), "lan_port lo is no Ethernet interface"),
    ("lan0", ("link", "set", "lan0", "down"), "lan_port lan0 is down"),
    ("lan0", ("address", "add", "10.0.0.77/25", "dev", "lan0"),
     "shares addresses with 10.0.0.0/25 of lan0"),
    ("memif:/nosuch/lan.sock", (), "lan_port memif"),
])
def test_what_is_wrong_with_a_port_is_said(topology, start, lans, port,
                                           prepare, message):
    namespace = topology.client.namespace
    if prepare:
        namespace.ip(*prepare)
    gateway = start(namespace, [
        *client_arguments(topology.hub.v4, _CLIENT_TUNNEL), "-lan-port", port,
        *(("-lan-addr", "10.2.0.1/24") if port.startswith("memif") else ())
    ], "client")
    assert gateway.wait_exit(10) != 0
    assert message in gateway.log()
