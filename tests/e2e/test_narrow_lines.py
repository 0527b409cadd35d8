"""Lines that take less than the links at both ends: on the way from the start,
or from some moment on; with a router that says so, and with one that does not.
Beside them a connection of the kernels' own."""

import pytest

from harness.traffic import Iperf, longest_silence, transfer
from harness.variant import Variant

_HUB, _CLIENT = "10.0.0.1", "10.0.0.2"
_SIZE = 2 << 20


def _hosts(topology):
    return topology.hub.namespace, topology.client.namespace


def _carries_all(topology):
    """Pings of every size, and bytes both ways. The first of a size may be
    answered by what fits, as by any router."""
    hub, client = _hosts(topology)
    for size in (56, 1000, 1300, 1381):
        assert client.ping(_HUB, size=size) >= 2, size
        assert hub.ping(_CLIENT, size=size) >= 2, size
    transfer(client, hub, _HUB, _SIZE)
    transfer(hub, client, _CLIENT, _SIZE)


def _comes_up(topology, start, variant, mtu):
    """The first flight of the hub is of full segments."""
    topology.narrow(mtu)
    hub, client = _hosts(topology)
    transfer(hub, client, topology.client.v4, _SIZE, port=5556)
    start.pair(topology, variant)
    _carries_all(topology)


def test_comes_up_on_a_line_narrower_than_both_ends(topology, start, variant):
    _comes_up(topology, start, variant, 1400)


@pytest.mark.parametrize("mtu", [1492, 1280])
def test_comes_up_on_lines_of_other_widths(topology, start, mtu):
    _comes_up(topology, start, Variant(), mtu)


def test_comes_up_where_no_router_says_why(topology, start):
    topology.narrow(1400, told=False)
    start.pair(topology, Variant())
    _carries_all(topology)


@pytest.mark.parametrize("told", [True, False], ids=["icmp", "black-hole"])
def test_outlives_a_line_that_becomes_narrow_under_way(topology, start, told):
    hub, client = _hosts(topology)
    start.pair(topology, Variant())
    _carries_all(topology)
    flow = Iperf(hub, client, _HUB, "-b", "20M", seconds=12)
    client.run("sleep", "2")
    topology.narrow(1300, told)
    report = flow.result()
    assert longest_silence(report) < 5, report["intervals"]
    assert client.ping(_HUB, size=1381) >= 2
    assert hub.ping(_CLIENT, size=1381) >= 2
    topology.narrow(1500)
    _carries_all(topology)
