"""What strangers, and somebody in the path, may make a hub keep: its buffers,
its places, its time. Beside each attack the same is measured in quiet."""

import contextlib
import pathlib
import re
import subprocess
import sys
import time

import pytest
from scapy.layers.inet import TCP

from harness.gateway import PORT, client_arguments
from harness.middle import Middle, payload, with_payload
from harness.prober import Prober
from harness.traffic import Iperf, transfer
from harness.variant import VARIANTS, Variant
from harness.wait import wait_until

_STRANGER = pathlib.Path(__file__).parent / "harness" / "stranger.py"
_SUPER, _SINGLE = (each for each in VARIANTS if each.uplink == "af_packet")
_SIZE = 8 << 20


def _merging_leg(namespace, device):
    """The devices leave segmentation and checksums to each other: a run of
    segments reaches the hub as one merged frame."""
    namespace.ip("link", "set", device, "up")


@contextlib.contextmanager
def _strangers(topology, host, count, kind):
    """Connections from a host of its own network. The router drops segments of
    one byte from there, again and again: the front of those that have a hole."""
    router = topology.router
    router.nft(f"""
        table inet hole {{
          chain forward {{
            type filter hook forward priority 5;
            ip saddr {host.v4} meta length 53 counter drop
          }}
        }}""")
    # Or a later segment would bring the byte along.
    host.namespace.sysctl(net__ipv4__tcp_retrans_collapse=0)
    attack = host.namespace.popen(sys.executable, _STRANGER, topology.hub.v4,
                                  PORT, count, kind, stdin=subprocess.PIPE)
    try:
        yield
        assert attack.poll() is None
        holes = router.output("nft", "list", "table", "inet", "hole")
        dropped = int(re.search(r"packets (\d+)", holes).group(1))
        assert (dropped >= 32) == (kind == "hole")
    finally:
        attack.stdin.close()
        attack.wait(10)
        router.run("nft", "delete", "table", "inet", "hole")


def _large_in_use(hub):
    return next(pool["in_use"] for pool in hub.status()["memory"]["pools"]
                if pool["name"] == "jumbo")


def _new_client(start, topology):
    """Seconds until one more client is in, from the start of its process; the
    same each time."""
    host = topology.clients[1]
    client = start(host.namespace,
                   client_arguments(topology.hub.v4, "10.0.0.3/24"), "new")
    client.wait_up()
    took = time.monotonic() - client.started
    assert host.namespace.ping("10.0.0.1", count=1) == 1
    assert client.stop() == 0
    return took


def _carries_on(topology):
    hub, client = topology.hub.namespace, topology.client.namespace
    assert client.ping_burst("10.0.0.1", 20, 0.02) >= 19
    transfer(client, hub, "10.0.0.1", _SIZE)
    transfer(hub, client, "10.0.0.2", _SIZE)


@pytest.mark.parametrize("variant, count, kind",
                         [(_SUPER, 64, "hole"), (_SINGLE, 300, "hole"),
                          (_SUPER, 300, "front")], ids=str)
def test_strangers_hold_no_buffer(make_topology, start, variant, count, kind):
    """Bytes of 64 connections behind a hole once kept all 256 buffers for
    merged frames of a worker: nothing more was received, for as long as they
    stood."""
    topology = make_topology(clients=3, leg=_merging_leg)
    hub, _ = start.pair(topology, variant)
    _carries_on(topology)
    quiet = _new_client(start, topology)
    before, held = hub.counters(), _large_in_use(hub)

    with _strangers(topology, topology.clients[2], count, kind):
        wait_until(lambda: hub.counters()["streams_punted"] >
                   before["streams_punted"] + 150, 10, "strangers are heard")
        _carries_on(topology)
        assert _new_client(start, topology) < quiet + 2
        # What is kept has nothing to do with how many there are.
        assert _large_in_use(hub) < held + 64

    after = hub.counters()
    assert after["uplink_rx_merged"] > before["uplink_rx_merged"] + 200
    assert after["uplink_rx_no_buffer"] == before["uplink_rx_no_buffer"]
    assert hub.drops()["pool_empty"] == 0
    hub.wait_log(f"{topology.clients[2].v4}.* was turned away")


def test_false_begins_of_records_stop_nothing(start):
    """Somebody in the path writes what looks like the starts of records, each
    behind a hole of its own: the hub keeps some, and the tunnel carries on."""
    middle = Middle()
    try:
        hub, _ = start.pair(middle, Variant("af_packet"))
        assert middle.client.namespace.ping("10.0.0.1", count=5) == 5
        before, forged = hub.counters()["records_found"], [0]

        def forge(frame, to_hub):
            if not to_hub or not payload(frame) or forged[0] >= 400:
                return [frame]
            false = bytes(300) + b"\x17\x03\x03\x03\xe8" + bytes(600)
            places = range(2000, 42000, 2000)
            forged[0] += len(places)
            return [frame, *(with_payload(frame, false,
                                          seq=frame[TCP].seq + place)
                             for place in places)]

        middle.transform = forge
        wait_until(lambda: middle.client.namespace.ping("10.0.0.1", count=1)
                   and forged[0] >= 400, 10, "records are forged")
        assert middle.client.namespace.ping("10.0.0.1", count=10) == 10
        transfer(middle.client.namespace, middle.hub.namespace, "10.0.0.1",
                 1 << 20)
        assert hub.counters()["records_found"] == before
    finally:
        middle.delete()


# Holes that a flow's own list holds, and flows of a worker that may have more.
_OWN_HOLES, _PLACES = 56, 32


def test_strangers_get_no_places_for_many_holes(topology, start):
    """More of them than there are places, each with more holes than it can
    have without one."""
    hub, _ = start.pair(topology, Variant())
    prober = Prober(topology)
    for _ in range(_PLACES + 2):
        talk = prober.talk(PORT)
        talk.syn()
        prober.collect()
        talk.take()
        talk.say("A", stamp=1)
        for hole in range(_OWN_HOLES + 8):
            talk.say("PA", seq=3 + 2 * hole, stamp=2, payload=b"x")
    prober.collect()
    prober.close()
    counters = hub.counters()
    assert counters["uplink_rx_frames"] > _PLACES * _OWN_HOLES
    assert counters["long_lists"] == 0
    transfer(topology.client.namespace, topology.hub.namespace, "10.0.0.1",
             1 << 20)


def test_a_client_gets_a_place_for_many_holes(make_bad_link, start):
    link = make_bad_link(delay_ms=50, loss=10, seed=3)
    hub, _ = start.pair(link, Variant(), flags=("-fec", "off"))
    Iperf(link.hub.namespace, link.client.namespace, "10.0.0.1", "-u", "-b",
          "80M", "-l", "1200", seconds=2).result()
    assert hub.counters()["long_lists"] >= 1
