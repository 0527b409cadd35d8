"""Several workers: a lane for each, what one has is no other's, and one that
fails is replaced beside the others."""

import pytest

from harness.gateway import client_arguments, server_arguments
from harness.traffic import Iperf, transfer
from harness.variant import Variant

_TWO = Variant("af_packet", workers=2)
_TUNNELS = ("10.0.0.1/24,fd11::1/64", "10.0.0.2/24,fd11::2/64")


def _sending(side):
    """Slot -> lane, of the only peer's lanes that are sent on."""
    peers = side.status()["peers"]
    return {lane["slot"]: lane for peer in peers
            for lane in peer["lane_list"] if lane["sending"]}


def _wait_lanes(side, count):
    side.wait_status(
        lambda status: sum(lane["sending"] for peer in status["peers"]
                           for lane in peer["lane_list"]) == count, 10,
        f"{count} lanes")


def _start(start, topology, hub_workers, client_workers):
    hub = start(topology.hub.namespace, server_arguments(
        _TUNNELS[0], Variant("af_packet", workers=hub_workers)), "hub")
    client = start(topology.client.namespace, client_arguments(
        topology.hub.outer(4), _TUNNELS[1],
        Variant("af_packet", workers=client_workers)), "client")
    client.wait_up()
    for side in (hub, client):
        _wait_lanes(side, min(hub_workers, client_workers))
    return hub, client


def test_each_worker_carries_a_lane(topology, start):
    hub, client = _start(start, topology, 2, 2)
    for side in (hub, client):
        lanes = _sending(side)
        assert sorted(lanes) == [0, 1]
        assert {lane["worker"] for lane in lanes.values()} == {0, 1}
        assert len({lane["remote"] + lane["local"]
                    for lane in lanes.values()}) == 2
    report = Iperf(topology.hub.namespace, topology.client.namespace,
                   "10.0.0.1", "-P", "8", "-n", "256M", seconds=None).result()
    assert report["end"]["sum_received"]["bytes"] > 200 << 20
    for side in (hub, client):
        for lane in _sending(side).values():
            assert lane["tx_packets"] > 50, lane
        assert all(worker["busy_cycles"] > 0 and worker["tx_frames"] > 50
                   for worker in side.status()["workers"])
        drops = side.drops()
        for reason in ("handoff_full", "no_lane", "no_flow", "bad_tag",
                       "unknown_epoch", "inner_source"):
            assert drops[reason] == 0, (side.label, reason, drops[reason])


@pytest.mark.parametrize("hub_workers, client_workers", [(2, 1), (1, 2)])
def test_unequal_numbers_of_workers(topology, start, hub_workers,
                                    client_workers):
    """The side with more workers hands over to the one that has the lane."""
    hub, client = _start(start, topology, hub_workers, client_workers)
    for inner_hub, inner_client in (("10.0.0.1", "10.0.0.2"),
                                    ("fd11::1", "fd11::2")):
        assert topology.client.namespace.ping(inner_hub, count=5) == 5
        assert topology.hub.namespace.ping(inner_client, count=5) == 5
        transfer(topology.client.namespace, topology.hub.namespace, inner_hub,
                 8 << 20)
        transfer(topology.hub.namespace, topology.client.namespace,
                 inner_client, 8 << 20)
    Iperf(topology.hub.namespace, topology.client.namespace, "10.0.0.1", "-P",
          "8", seconds=2).result()
    assert hub.counters()["handed_over"] + client.counters()["handed_over"] > 0
    for side in (hub, client):
        assert side.counters()["handed_over"] == \
            side.counters()["taken_over"]
        assert side.drops()["no_lane"] == 0


def test_a_killed_lane_heals_while_the_other_carries_on(topology, start):
    hub, client = _start(start, topology, 2, 2)
    before = _sending(client)
    port = before[1]["local"].rpartition(":")[2]
    topology.router.nft(f"""
        table inet kill {{
          chain forward {{
            type filter hook forward priority 10;
            tcp sport {port} counter drop
            tcp dport {port} counter drop
          }}
        }}""")
    with topology.client.namespace.popen(
            "ping", "-i", "0.05", "-w", "20", "-q", "10.0.0.1") as ping:
        # Sixteen inner flows, so that both lanes are in use.
        iperf = Iperf(topology.hub.namespace, topology.client.namespace,
                      "10.0.0.1", "-P", "16", "-b", "200K", seconds=12)
        states = set()

        def replaced(status):
            states.add(status["peers"][0]["state"])
            lanes = {lane["slot"]: lane
                     for lane in status["peers"][0]["lane_list"]
                     if lane["sending"]}
            return (sorted(lanes) == [0, 1] and
                    lanes[1]["local"] != before[1]["local"])

        client.wait_status(replaced, 10, "another lane in slot 1")
        iperf.result()
        ping.terminate()
    assert states == {"up"}
    after = _sending(client)
    assert after[0]["local"] == before[0]["local"]
    assert after[0]["rx_packets"] > before[0]["rx_packets"]
    _wait_lanes(hub, 2)
    assert {lane["worker"] for lane in _sending(hub).values()} == {0, 1}
    for _ in range(20):
        assert topology.client.namespace.ping("10.0.0.1", count=1) == 1


def test_fewer_queues_than_workers_is_said(topology, start):
    """A veth pair gives AF_XDP one queue."""
    variant = Variant("af_xdp", workers=2)
    hub = start(topology.hub.namespace,
                server_arguments("10.0.0.1/24", variant), "hub")
    client = start(topology.client.namespace, client_arguments(
        topology.hub.outer(4), "10.0.0.2/24", variant), "client")
    client.wait_up()
    assert topology.client.namespace.ping("10.0.0.1") == 3
    for side in (hub, client):
        assert len(side.status()["workers"]) == 1
        assert "2 workers are wanted, but eth0 has 1 queue" in side.log()
