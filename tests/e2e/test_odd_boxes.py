"""Boxes that answer for others, or that forget: SYN proxies and NATs. Beside the
gateways a connection of the kernels' own meets the same box."""

import re
import socket
import time

import pytest
from harness.bad_link import BadWire
from harness.gateway import PORT, client_arguments, server_arguments
from harness.middle import Middle
from harness.odd_boxes import (ClosedWindow, NatOfOnePort, clear_df, police,
                               shape_windows, syn_proxy)
from harness.traffic import transfer
from harness.variant import Variant
from harness.wait import wait_until

_HUB, _CLIENT = "10.0.0.1", "10.0.0.2"
_SIZE = 1 << 20
_TCP_REPAIR = 19  # of tcp(7)


def _hosts(topology):
    return topology.hub.namespace, topology.client.namespace


def _carries(topology):
    hub, client = _hosts(topology)
    transfer(client, hub, _HUB, _SIZE)
    transfer(hub, client, _CLIENT, _SIZE)


def _start_in_turn(topology, start, variant, meanwhile=lambda: None):
    """The client's first attempt has to do."""
    hub = start(topology.hub.namespace,
                server_arguments("10.0.0.1/24", variant), "hub")
    hub.wait_log("ready: ")
    client = start(topology.client.namespace,
                   client_arguments(topology.hub.v4, "10.0.0.2/24", variant),
                   "client")
    meanwhile()
    client.wait_up()
    hub.wait_up()
    assert "next attempt" not in client.log()
    return hub, client


@pytest.mark.parametrize("driver", ["af_packet", "af_xdp"])
def test_syn_proxy_that_opens_its_window_later(topology, start, driver):
    """By as much as the hub is away from it."""
    wire = BadWire(topology.insert_wire(topology.hub), "host", "router",
                   delay_ms=40)
    syn_proxy(topology)
    hub, client = _hosts(topology)
    transfer(client, hub, topology.hub.v4, _SIZE, port=PORT)
    _start_in_turn(topology, start, Variant(driver))
    _carries(topology)
    wire.end()


@pytest.fixture
def middle():
    made = Middle()
    yield made
    made.delete()


def _close(client, server):
    """The client first, so that nothing waits at the port."""
    client.close()
    assert server.recv(1) == b""
    server.close()


def _kernel_hub_speaks(middle):
    """A server of the kernel's sends to whoever comes; what the client gets
    once its window is open."""
    box = ClosedWindow(middle)
    hub, client = _hosts(middle)
    server = hub.inside(lambda: socket.create_server(("", PORT)))
    visitor = client.inside(lambda: socket.create_connection(
        (middle.hub.v4, PORT), 5))
    with server, visitor, server.accept()[0] as taken:
        taken.sendall(b"x" * 3000)
        wait_until(lambda: box.asked >= 3, 30, "the kernel asks")
        box.open()
        visitor.settimeout(10)
        got = b""
        while len(got) < 3000:
            got += visitor.recv(3000)
        _close(visitor, taken)
    return got


def test_client_whose_window_opens_later(middle, start):
    assert _kernel_hub_speaks(middle) == b"x" * 3000
    box = ClosedWindow(middle)

    def meanwhile():
        wait_until(lambda: box.said > 0 and box.asked >= 3, 30, "the hub asks")
        box.open()

    _start_in_turn(middle, start, Variant(), meanwhile)
    assert middle.client.namespace.ping(_HUB) == 3


def _die_silently(connection):
    """As where the power fails."""
    connection.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, 1)
    connection.close()


def _kernel_takes_the_port_again(topology, nat):
    """Seconds that a connection takes which gets the port of one that died."""
    hub, client = _hosts(topology)
    server = hub.inside(lambda: socket.create_server(("", PORT)))

    def connect():
        return client.inside(lambda: socket.create_connection(
            (topology.hub.v4, PORT), 20))

    with server:
        first = connect()
        taken, peer = server.accept()
        _die_silently(first)
        nat.forget()
        began = time.monotonic()
        second = connect()
        took = time.monotonic() - began
        again, again_peer = server.accept()
        assert again_peer == peer, "another port"
        taken.close()
        _close(second, again)
    return took


@pytest.mark.alone
def test_port_of_a_dead_client_goes_to_the_next_connection(topology, start):
    """The hub learns from the RST that its challenge ACK gets."""
    nat = NatOfOnePort(topology)
    assert _kernel_takes_the_port_again(topology, nat) < 5
    nat.forget()
    hub, client = _start_in_turn(topology, start, Variant())
    assert topology.client.namespace.ping(_HUB) == 3
    before = hub.status()["peers"][0]["endpoint"]
    client.kill()
    nat.forget()
    client.start()
    wait_until(lambda: topology.client.namespace.ping(_HUB, count=1, timeout=1),
               30, "it is back")
    assert hub.status()["peers"][0]["endpoint"] == before
    assert "next attempt" not in client.log()


def _leg_that_leaves_checksums(namespace, device):
    """As veth is by itself, except for segmentation and merging: the kernel leaves
    checksums to whoever needs them."""
    namespace.run("ethtool", "-K", device, "tso", "off", "gso", "off", "gro",
                  "off")
    namespace.run("sysctl", "-qw", f"net.ipv6.conf.{device}.accept_dad=0")
    namespace.ip("link", "set", device, "up")


def test_checksums_that_a_kernel_left_for_later(make_topology, start):
    """AF_XDP sees frames as they are, and on a veth that is unfinished."""
    topology = make_topology(leg=_leg_that_leaves_checksums)
    ends = _hosts(topology)
    transfer(ends[1], ends[0], topology.hub.v4, _SIZE, port=PORT)
    hub = start(topology.hub.namespace,
                server_arguments("10.0.0.1/24", Variant("af_xdp")), "hub")
    client = start(topology.client.namespace,
                   client_arguments(topology.hub.v4, "10.0.0.2/24",
                                    Variant("af_packet")), "client")
    client.wait_up()
    _carries(topology)
    assert hub.status()["uplink"]["driver"] == "af_xdp"
    assert hub.drops()["bad_checksum"] == 0


def _counted(topology):
    """Packets that the router's rules took something from."""
    text = topology.router.output("nft", "list", "ruleset")
    return sum(map(int, re.findall(r"counter packets (\d+)", text)))


# Of three pings a policer may take one that follows a burst.
@pytest.mark.parametrize("box, least", [
    (lambda topology: police(topology, 5), 2),
    (lambda topology: clear_df(topology, 1300), 3),
    (lambda topology: shape_windows(topology, 6), 3),
], ids=["policer", "clears-df", "shapes-windows"])
def test_boxes_that_take_from_segments(topology, start, box, least):
    """What a kernel's connection gets through, the tunnel does: pings of every
    size, and bytes both ways."""
    box(topology)
    hub, client = _hosts(topology)
    transfer(client, hub, topology.hub.v4, _SIZE, port=PORT)
    before = _counted(topology)
    start.pair(topology, Variant())
    for size in (56, 1000, 1381):
        assert client.ping(_HUB, size=size) >= least, size
        assert hub.ping(_CLIENT, size=size) >= least, size
    _carries(topology)
    assert _counted(topology) > before, "the box did nothing"
