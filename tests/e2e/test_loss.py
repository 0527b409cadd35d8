"""Traffic over links that lose, with and without repair."""

import statistics

import pytest

from harness import conntrack, segments
from harness.capture import Capture
from harness.gateway import PORT
from harness.traffic import Iperf, mbits, transfer
from harness.variant import VARIANTS, Variant
from harness.wait import wait_until

_PLAIN = ("-fec", "off", "-retransmit=false")


# Takes loss for congestion, as most senders do. Only root may ask for it by
# name wherever the host's default is another.
_CONTROL = "cubic"
# Records without loss after which a report is due.
_REPORT_EVERY = 64


def _fec(side):
    return side.status()["peers"][0]["fec"]


def _codes(side):
    """k of each lane that is sent on."""
    peer, = side.status()["peers"]
    return [lane["fec_tx_data"] for lane in peer["lane_list"]
            if lane["sending"]]


def _learn(link, *sides):
    """Sends both ways until each lane of both sides sends parities. Which lane
    a flow takes is the kernel's choice; the others are told."""
    for _ in range(5):
        for flags in ((), ("-R",)):
            Iperf(link.hub.namespace, link.client.namespace, "10.0.0.1", "-u",
                  "-b", "10M", "-l", "1200", *flags, seconds=1).result()
        if all(all(_codes(side)) for side in sides):
            return
    raise AssertionError("no parities in ten seconds")


def _goodput(make_bad_link, start, variant, flags, seed):
    """Of one TCP flow at 3 % loss each way and 50 ms, in Mbit/s."""
    link = make_bad_link(delay_ms=25, loss=3, seed=seed)
    hub, client = start.pair(link, variant, flags=flags)
    if not flags:
        _learn(link, hub, client)
    rate = mbits(
        Iperf(link.hub.namespace, link.client.namespace, "10.0.0.1", "-C",
              _CONTROL, seconds=5).result())
    if not flags:
        assert _fec(hub)["shards_repaired"] > 100
    for side in (client, hub):
        side.stop()
    return rate


@pytest.mark.alone
@pytest.mark.parametrize("variant", VARIANTS[:1], ids=str)
def test_auto_carries_twenty_times_the_tcp_at_3_percent(
        make_bad_link, start, variant):
    # Single runs differ by 40 %.
    rates = {
        flags: statistics.median(
            _goodput(make_bad_link, start, variant, flags, seed)
            for seed in (4, 5, 6))
        for flags in (_PLAIN, ())
    }
    assert rates[()] >= 20 * rates[_PLAIN], rates


def test_fixed_code_repairs(make_bad_link, start, variant):
    link = make_bad_link(delay_ms=5, loss=3, seed=2)
    hub, client = start.pair(link, variant, flags=("-fec", "8:6"))
    report = Iperf(link.hub.namespace, link.client.namespace, "10.0.0.1", "-u",
                   "-b", "20M", "-l", "1200", seconds=3).result()
    lost = link.counts()["b_to_a"]["lost"]
    assert lost > 100
    assert report["end"]["sum"]["lost_packets"] < lost / 10
    got = _fec(hub)
    assert got["shards_repaired"] > 100
    assert (got["fec_rx_data"], got["fec_rx_parity"]) == (8, 6)
    assert _fec(client)["fec_tx_data"] == 8
    wait_until(lambda: _fec(client)["peer_repaired"] > 100, 3,
               "the client hears of it")


def test_retransmission_is_the_second_stage_and_counted_apart(
        make_bad_link, start, variant):
    """One parity repairs most of 5 %; the rest comes again, nothing twice."""
    link = make_bad_link(delay_ms=10, loss=5, seed=3)
    hub, client = start.pair(link, variant, flags=("-fec", "20:1"))
    transfer(link.client.namespace, link.hub.namespace, "10.0.0.1", 4 << 20)
    got = hub.wait_status(
        lambda status: status["peers"][0]["fec"]["records_resent"] > 5, 5,
        "some come again")["peers"][0]["fec"]
    sent = _fec(client)
    assert got["shards_repaired"] > 20
    # Nearly: what comes again within half a round trip passes for reordered.
    assert 1.1 * got["records_lost"] > (got["shards_repaired"] +
                                        got["records_resent"])
    assert got["parities_received"] > 100
    assert sent["parities_sent"] > 100
    assert got["shards_unrepaired"] < got["records_lost"]
    assert (sent["fec_tx_data"], sent["fec_tx_parity"]) == (20, 1)
    assert (got["fec_rx_data"], got["fec_rx_parity"]) == (20, 1)
    # What came although it was repaired is a duplicate to the window.
    assert hub.drops()["replayed"] > 0


def test_clean_link_carries_no_parity(topology, start, variant):
    hub, client = start.pair(topology, variant)
    transfer(topology.client.namespace, topology.hub.namespace, "10.0.0.1",
             4 << 20)
    for side in (hub, client):
        assert _fec(side)["parities_sent"] == 0
        assert _fec(side)["records_lost"] == 0


def test_corrupted_frames_are_losses(make_bad_link, start, variant):
    link = make_bad_link(delay_ms=2, corrupt=2, seed=6)
    hub, _ = start.pair(link, variant, flags=("-fec", "10:5"))
    transfer(link.client.namespace, link.hub.namespace, "10.0.0.1", 2 << 20)
    assert link.counts()["b_to_a"]["corrupted"] > 10
    drops = hub.drops()
    assert drops["bad_checksum"] > 0
    assert drops["bad_inner"] == drops["bad_shard"] == 0


def test_a_lane_is_told_what_another_loses(make_topology, start):
    """One inner flow takes one lane; the other, which carries next to nothing,
    sends parities too."""
    link = make_topology()
    link.add_loss(30)
    hub, client = start.pair(link, Variant("af_packet", workers=2))
    wait_until(lambda: len(_codes(client)) == 2, 10, "two lanes")
    Iperf(link.hub.namespace, link.client.namespace, "10.0.0.1", "-u", "-b",
          "5M", "-l", "1200", seconds=3).result()
    wait_until(lambda: all(_codes(client)), 3, "both lanes send parities")
    # Nearly all went by one of them.
    peer, = client.status()["peers"]
    sent = sorted(lane["tx_packets"] for lane in peer["lane_list"]
                  if lane["sending"])
    assert sent[0] < sent[1] / 10, sent


def _pings(link, folder, count):
    """`count` lone pings, and what they were to the router: for each direction
    segments with payload, each counted once however often it was sent, and
    pure ACKs."""
    # A flow acknowledges its first segments at once.
    assert link.client.namespace.ping_burst("10.0.0.1", 20, 0.02) > 10
    capture = Capture(link.router, "hub", folder)
    answers = link.client.namespace.ping_burst("10.0.0.1", count, 0.2)
    found = segments.read(capture.stop().path)
    ways = []
    for to_hub in (True, False):
        way = [one for one in found
               if (one.target[1] if to_hub else one.source[1]) == PORT]
        ways.append((len({(one.source, one.seq) for one in way if one.length}),
                     sum(1 for one in way if not one.length)))
    return answers, ways


# A ping alone is one segment with payload each way, and one copy of it. What it
# takes besides is what any TCP takes: a pure ACK, held back for 40 ms, where no
# payload goes the other way that could carry it.
@pytest.mark.parametrize("flags,each", [(("-fec", "off"), 1), ((), 1),
                                        (("-fec", "10:3"), 2)], ids=str)
def test_a_lone_ping_costs_one_copy_at_most(make_topology, start, variant,
                                            folder, flags, each):
    link = make_topology()
    start.pair(link, variant, flags=flags)
    answers, ways = _pings(link, folder, 20)
    assert answers == 20
    for payloads, acks in ways:
        assert payloads >= 20
        assert payloads <= 20 * each + 2 * (20 * each // _REPORT_EVERY + 1)
        assert acks <= 20 + 1


@pytest.mark.parametrize("variant", VARIANTS[:2], ids=str)
def test_a_lone_ping_costs_one_copy_at_most_under_loss(make_topology, start,
                                                       variant, folder):
    link = make_topology()
    link.add_loss(50)
    hub, client = start.pair(link, variant)
    _learn(link, hub, client)
    before = conntrack.counted(link.router, "loss")
    answers, ways = _pings(link, folder, 40)
    assert answers >= 39
    # A loss is news: a report, and its copy.
    lost = conntrack.counted(link.router, "loss") - before
    for payloads, _ in ways:
        assert payloads > 60, "without a copy"
        assert payloads <= 2 * 40 + 2 * lost + 4
