"""Gateways that end, crash and come back; paths that die."""

import subprocess
import time

from harness.gateway import DAEMON
from harness.snapshot import assert_unchanged, difference, host_snapshot
from harness.traffic import transfer
from harness.wait import wait_until


def _hosts(topology):
    return [topology.hub.namespace, topology.client.namespace]


def _warm(topology):
    """Neighbours and routes that the kernel learns by itself are there."""
    assert topology.client.namespace.ping(topology.hub.v4) == 3


def test_sigterm_restores_the_host_within_a_second(topology, start, uplink):
    _warm(topology)
    before = host_snapshot(_hosts(topology))
    hub, client = start.pair(topology, uplink)
    assert difference(before, host_snapshot(_hosts(topology)))
    assert topology.client.namespace.ping("10.0.0.1") == 3
    for side in (client, hub):
        begun = time.monotonic()
        assert side.stop(timeout=5) == 0, side.log()
        assert time.monotonic() - begun < 1
    assert_unchanged(before, host_snapshot(_hosts(topology)))


def test_fin_at_exit_is_seen_at_once(topology, start, uplink):
    hub, client = start.pair(topology, uplink)
    assert client.stop() == 0
    hub.wait_status(
        lambda status: all(peer["state"] != "up" for peer in status["peers"]),
        2, "the client is gone")


def test_killed_client_leaves_nothing_that_lasts(topology, start, uplink):
    """Within a second of kill -9 the nft table, the device and its routes are
    gone; -cleanup undoes what stands in the journal."""
    _warm(topology)
    before = host_snapshot(_hosts(topology))
    hub, client = start.pair(topology, uplink)
    client.kill()

    def gone():
        namespace = topology.client.namespace
        return (not namespace.output("nft", "list", "ruleset").strip() and
                "lwt0" not in namespace.ip("link") and
                "10.0.0" not in namespace.ip("route", "show", "table", "all"))

    wait_until(gone, 1, "table, device and routes are gone")
    assert topology.client.namespace.ping(topology.hub.v4) == 3
    done = topology.client.namespace.run(DAEMON, "-cleanup")
    assert done.returncode == 0, done.stdout
    hub.stop()
    assert_unchanged(before, host_snapshot(_hosts(topology)))


def test_killed_hub_comes_back_within_five_seconds(topology, start, uplink):
    _warm(topology)
    before = host_snapshot(_hosts(topology))
    hub, client = start.pair(topology, uplink)
    down = time.monotonic()
    hub.kill()
    assert topology.client.namespace.ping(topology.hub.v4) == 3
    # Down for as long as the client needs to notice or 5 s, whichever is
    # less: its first tries then fall on a hub that is not there.
    wait_until(lambda: time.monotonic() - down > 4.5, 6, "the hub is down")
    hub.start()
    begun = time.monotonic()
    wait_until(lambda: topology.client.namespace.ping("10.0.0.1", count=1,
                                                      timeout=1) == 1, 5,
               "traffic again")
    assert time.monotonic() - begun <= 5
    transfer(topology.client.namespace, topology.hub.namespace, "10.0.0.1",
             1 << 20)
    assert client.stop() == 0
    assert hub.stop() == 0
    assert_unchanged(before, host_snapshot(_hosts(topology)))


def test_killed_client_replaces_its_session(topology, start, uplink):
    hub, client = start.pair(topology, uplink)
    client.kill()
    client.start()
    client.wait_up()
    status = hub.wait_up()
    assert len(status["peers"]) == 1
    assert topology.hub.namespace.ping("10.0.0.2") == 3


def test_dead_path_is_found_and_left(topology, start, uplink):
    hub, client = start.pair(topology, uplink)
    topology.cut()
    traffic = topology.client.namespace.popen("ping", "-q", "-i", "0.2",
                                              "10.0.0.1", stdout=subprocess.DEVNULL)
    client.wait_status(
        lambda status: status["peers"][0]["state"] not in ("up", "suspect"),
        12, "the path is dead")
    topology.heal()
    client.wait_up(timeout=35)
    hub.wait_up()
    traffic.kill()
    traffic.wait()
    assert topology.client.namespace.ping("10.0.0.1") == 3


def test_kernel_traffic_is_left_alone(topology, start, uplink):
    """The uplink's own traffic, before, during and after."""
    hub, client = start.pair(topology, uplink)
    namespaces = topology.client.namespace, topology.hub.namespace
    for _ in range(2):
        transfer(*namespaces, topology.hub.v4, 8 << 20)
        transfer(*namespaces, topology.hub.v6, 8 << 20)
        assert namespaces[0].ping(topology.hub.v6) == 3
        client.kill()
        hub.kill()
