"""Gateways that end, crash and come back; paths that die."""

import subprocess
import time

import pytest

from harness.gateway import DAEMON, client_arguments, server_arguments
from harness.snapshot import assert_unchanged, difference, host_snapshot
from harness.traffic import transfer
from harness.wait import wait_until


def _hosts(topology):
    return [topology.hub.namespace, topology.client.namespace]


def _warm(topology):
    """Neighbours and routes that the kernel learns by itself are there."""
    assert topology.client.namespace.ping(topology.hub.v4) == 3


def _pair_and_before(topology, start, variant):
    """A pair that is up, and the host as it was before; it was changed."""
    _warm(topology)
    before = host_snapshot(_hosts(topology))
    pair = start.pair(topology, variant)
    assert difference(before, host_snapshot(_hosts(topology)))
    return pair, before


def _traffic_again(topology):
    return topology.client.namespace.ping("10.0.0.1", count=1, timeout=1) == 1


@pytest.fixture(params=["hub", "client"])
def victim(request):
    """The side that dies."""
    return request.param


@pytest.mark.alone
def test_sigterm_restores_the_host_within_a_second(topology, start,
                                                   every_variant):
    (hub, client), before = _pair_and_before(topology, start, every_variant)
    assert topology.client.namespace.ping("10.0.0.1") == 3
    for side in (client, hub):
        begun = time.monotonic()
        assert side.stop(timeout=5) == 0, side.log()
        assert time.monotonic() - begun < 1
    assert_unchanged(before, host_snapshot(_hosts(topology)))


def test_fin_at_exit_is_seen_at_once(topology, start, variant):
    hub, client = start.pair(topology, variant)
    assert client.stop() == 0
    hub.wait_status(
        lambda status: all(peer["state"] != "up" for peer in status["peers"]),
        2, "the client is gone")


@pytest.mark.alone
def test_killed_gateway_leaves_nothing_that_lasts(topology, start,
                                                  every_variant, victim):
    """Within a second of kill -9 the nft table, the device and its routes are
    gone; -cleanup undoes what stands in the journal."""
    sides, before = _pair_and_before(topology, start, every_variant)
    dead, left = sides if victim == "hub" else sides[::-1]
    dead.kill()

    def gone():
        namespace = dead.namespace
        return (not namespace.output("nft", "list", "ruleset").strip() and
                "lwt0" not in namespace.ip("link") and
                "10.0.0" not in namespace.ip("route", "show", "table", "all"))

    wait_until(gone, 1, "table, device and routes are gone")
    # What it has left stops nobody: the kernel's own traffic passes.
    assert topology.client.namespace.ping(topology.hub.v4) == 3
    assert difference(before, host_snapshot(_hosts(topology)))
    done = dead.namespace.run(DAEMON, "-cleanup")
    assert done.returncode == 0, done.stdout
    left.stop()
    assert_unchanged(before, host_snapshot(_hosts(topology)))


@pytest.mark.parametrize("down_s", [0, 5])
def test_killed_hub_comes_back_within_five_seconds(topology, start,
                                                   every_variant, down_s):
    (hub, client), before = _pair_and_before(topology, start, every_variant)
    died = time.monotonic()
    hub.kill()
    assert topology.client.namespace.ping(topology.hub.v4) == 3
    wait_until(lambda: time.monotonic() - died >= down_s, down_s + 1,
               "the hub has been down for long enough")
    hub.start()
    begun = time.monotonic()
    wait_until(lambda: _traffic_again(topology), 5, "traffic again")
    assert time.monotonic() - begun <= 5
    every_variant.assert_ran(hub)
    transfer(topology.client.namespace, topology.hub.namespace, "10.0.0.1",
             1 << 20)
    assert client.stop() == 0
    assert hub.stop() == 0
    assert_unchanged(before, host_snapshot(_hosts(topology)))


def test_killed_client_comes_back(topology, start, every_variant):
    """What the dead one left is undone or taken over by the next; the hub
    replaces the session."""
    (hub, client), before = _pair_and_before(topology, start, every_variant)
    client.kill()
    client.start()
    client.wait_up()
    assert len(hub.wait_up()["peers"]) == 1
    every_variant.assert_ran(client)
    assert topology.hub.namespace.ping("10.0.0.2") == 3
    assert client.stop() == 0
    assert hub.stop() == 0
    assert_unchanged(before, host_snapshot(_hosts(topology)))


def test_dead_path_is_found_and_left(topology, start, variant):
    hub, client = start.pair(topology, variant)
    topology.cut()
    traffic = topology.client.namespace.popen("ping", "-q", "-i", "0.2",
                                              "10.0.0.1", stdout=subprocess.DEVNULL)
    client.wait_status(
        lambda status: status["peers"][0]["state"] not in ("up", "suspect"),
        10, "the path is dead")
    topology.heal()
    client.wait_up(timeout=35)
    hub.wait_up()
    traffic.kill()
    traffic.wait()
    assert topology.client.namespace.ping("10.0.0.1") == 3


def test_client_moves_to_another_address(topology, start, variant):
    """The session goes on over a new flow; nobody starts anything."""
    hub, client = start.pair(topology, variant)
    handshake = hub.status()["peers"][0]["last_handshake_s"]
    uplink, moved = topology.client.namespace, "192.168.21.77"
    uplink.ip("address", "add", f"{moved}/24", "dev", "eth0")
    uplink.ip("route", "change", "default", "via",
              topology.client.gateway_v4, "src", moved)
    hub.wait_status(
        lambda status: status["peers"][0]["endpoint"].startswith(moved), 10,
        "the new address")
    assert uplink.ping("10.0.0.1") == 3
    assert client.running()
    assert len(hub.wait_up()["peers"]) == 1
    assert hub.status()["peers"][0]["last_handshake_s"] >= handshake


def test_a_client_waits_for_its_carrier(topology, start, variant):
    """As at boot, or right after the link was set up."""
    topology.router.ip("link", "set", "c1", "down")
    start(topology.hub.namespace, server_arguments("10.0.0.1/24", variant),
          "hub")
    client = start(topology.client.namespace,
                   client_arguments(topology.hub.v4, "10.0.0.2/24", variant),
                   "client")
    wait_until(lambda: client.status() is not None, 15, "the client runs")
    assert client.status()["peers"][0]["state"] != "up"
    topology.router.ip("link", "set", "c1", "up")
    client.wait_up(45)
    assert topology.client.namespace.ping("10.0.0.1")


def test_router_with_a_new_link_address_is_followed(topology, start, variant):
    """As when a gateway is replaced: the kernel learns it, and so do we."""
    start.pair(topology, variant)
    client = topology.client
    leg = client.namespace.label
    topology.router.ip("link", "set", leg, "down")
    topology.router.ip("link", "set", leg, "address", "02:00:00:00:00:77")
    topology.router.ip("link", "set", leg, "up")
    wait_until(lambda: client.namespace.ping(topology.hub.v4, count=1), 10,
               "the kernel knows the new link address")
    wait_until(lambda: _traffic_again(topology), 10, "traffic again")
    assert "00:77" in client.namespace.ip("neighbour", "show",
                                          client.gateway_v4)


def test_kernel_traffic_is_left_alone(topology, start, variant):
    """The uplink's own traffic, before, during and after."""
    hub, client = start.pair(topology, variant)
    namespaces = topology.client.namespace, topology.hub.namespace
    for _ in range(2):
        transfer(*namespaces, topology.hub.v4, 8 << 20)
        transfer(*namespaces, topology.hub.v6, 8 << 20)
        assert namespaces[0].ping(topology.hub.v6) == 3
        client.kill()
        hub.kill()
