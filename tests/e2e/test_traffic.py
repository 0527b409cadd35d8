"""Ping, bulk transfer and speed through the tunnel, over each uplink."""

import statistics
import time

import pytest

from harness.gateway import client_arguments, server_arguments
from harness.traffic import Iperf, mbits, transfer
from harness.wait import wait_until

_TUNNELS = ("10.0.0.1/24,fd11::1/64", "10.0.0.2/24,fd11::2/64")
_HUB = {4: "10.0.0.1", 6: "fd11::1"}
_CLIENT = {4: "10.0.0.2", 6: "fd11::2"}


@pytest.mark.parametrize("outer", [4, 6])
def test_ping_and_bulk_transfer(topology, start, every_variant, outer):
    start.pair(topology, every_variant, *_TUNNELS, family=outer)
    hub, client = topology.hub.namespace, topology.client.namespace
    for inner in (4, 6):
        assert client.ping(_HUB[inner]) == 3
        assert hub.ping(_CLIENT[inner]) == 3
        # The largest packet that the device takes, and a fragmented one.
        assert client.ping(_HUB[inner], size=1300) == 3
        assert client.ping(_HUB[inner], size=4000) == 3
        transfer(client, hub, _HUB[inner], 16 << 20)
        transfer(hub, client, _CLIENT[inner], 16 << 20)


def test_first_packet_of_an_idle_tunnel_arrives(topology, start, variant):
    hub, client = start.pair(topology, variant)
    sleeps = {side: side.status()["workers"][0]["sleeps"]
              for side in (hub, client)}
    for side, before in sleeps.items():
        side.wait_status(lambda s, n=before: s["workers"][0]["sleeps"] > n, 5,
                         "the worker sleeps")
    for _ in range(5):
        assert topology.client.namespace.ping("10.0.0.1", count=1) == 1
        assert topology.hub.namespace.ping("10.0.0.2", count=1) == 1


def test_device_has_address_and_mtu(topology, start, variant):
    hub, client = start.pair(topology, variant, *_TUNNELS)
    for side, number in ((hub, 1), (client, 2)):
        text = side.namespace.ip("address", "show", "dev", "lwt0")
        assert f"inet 10.0.0.{number}/24" in text
        assert f"inet6 fd11::{number}/64" in text
        # The listener takes IPv4 only, so the IPv4 figure holds.
        mtu = side.status()["tunnel"]["mtu"]
        assert mtu == 1409
        assert f"mtu {mtu}" in text


@pytest.mark.parametrize("family, mtu", [(4, 1409), (6, 1389)])
def test_mtu_follows_the_family_in_use(topology, start, variant, family, mtu):
    """One hub that listens on both."""
    hub = start(topology.hub.namespace,
                server_arguments("10.0.0.1/24", variant, "::"), "hub")
    client = start(topology.client.namespace,
                   client_arguments(topology.hub.outer(family), "10.0.0.2/24",
                                    variant), "client")
    for side in (client, hub):
        side.wait_up()
        variant.assert_ran(side)
        side.wait_status(lambda status: status["tunnel"]["mtu"] == mtu, 2,
                         f"inner MTU {mtu}")
    # A packet of the full size passes, whole.
    assert topology.client.namespace.ping("10.0.0.1", size=mtu - 28) == 3


@pytest.mark.alone
def test_tcp_reaches_a_tenth_of_the_kernels_each_way(topology, start,
                                                     variant):
    """Of a connection beside the tunnel, on the same wires and by turns;
    measured is a fifth to two thirds."""
    start.pair(topology, variant)

    def rate(address, *flags):
        return mbits(Iperf(topology.hub.namespace, topology.client.namespace,
                           address, *flags, seconds=1).result())

    for flags in ((), ("-R",)):
        # A neighbour of this machine's cores halves a run now and then.
        pairs = [(rate("10.0.0.1", "-O", "1", *flags),
                  rate(topology.hub.v4, *flags)) for _ in range(3)]
        share = statistics.median(ours / kernel for ours, kernel in pairs)
        assert share >= 0.1, f"{flags} {pairs} Mbit/s"


@pytest.mark.alone
def test_udp_of_a_modest_rate_loses_nothing(topology, start, variant):
    start.pair(topology, variant)
    report = Iperf(topology.hub.namespace, topology.client.namespace,
                   "10.0.0.1", "-u", "-b", "20M", "-l", "1200",
                   seconds=3).result()
    assert report["end"]["sum"]["packets"] > 5000
    assert report["end"]["sum"]["lost_packets"] == 0


@pytest.mark.alone
def test_idle_gateway_uses_little_cpu(topology, start, variant):
    """Beside what the same one uses to carry a transfer; measured is a
    three-hundredth."""
    hub, client = start.pair(topology, variant)

    def shares(wait):
        begun = time.monotonic()
        used = [side.cpu_seconds() for side in (hub, client)]
        wait(begun)
        took = time.monotonic() - begun
        return [(side.cpu_seconds() - before) / took
                for side, before in zip((hub, client), used)]

    # Nobody asks them for anything meanwhile.
    idle = shares(lambda begun: wait_until(
        lambda: time.monotonic() - begun >= 6, 10, "idling"))
    busy = shares(lambda begun: transfer(
        topology.client.namespace, topology.hub.namespace, "10.0.0.1",
        128 << 20))
    for side, at_rest, at_work in zip((hub, client), idle, busy):
        assert at_rest < at_work / 20, f"{side.label}: {idle} {busy}"


def test_counters_agree(topology, start, variant):
    """What one side sealed the other opened; packets are counted once."""
    hub, client = start.pair(topology, variant)
    assert topology.client.namespace.ping("10.0.0.1", count=50) == 50
    for side in (hub, client):
        peer = side.status()["peers"][0]
        assert peer["rx_packets"] >= 50
        assert peer["tx_packets"] >= 50
        assert peer["records_lost"] == 0
    assert client.status()["peers"][0]["path"] == "hub"
    assert hub.status()["peers"][0]["path"] == "client"
