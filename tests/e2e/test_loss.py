"""Traffic over links that lose, with and without repair."""

import pathlib

import pytest

from harness.traffic import Iperf, mbits, transfer
from harness.variant import VARIANTS
from harness.wait import wait_until

_PLAIN = ("-fec", "off", "-retransmit=false")


def _loss_based():
    """A congestion control that takes loss for congestion, as most senders
    have; what a namespace may choose, the first namespace decides."""
    allowed = pathlib.Path(
        "/proc/sys/net/ipv4/tcp_allowed_congestion_control").read_text()
    return "cubic" if "cubic" in allowed.split() else "reno"


def _fec(side):
    return side.status()["peers"][0]["fec"]


def _learn(link, *sides):
    """Sends both ways until both sides send parities."""
    for _ in range(5):
        for flags in ((), ("-R",)):
            Iperf(link.hub.namespace, link.client.namespace, "10.0.0.1", "-u",
                  "-b", "8M", "-l", "1200", *flags, seconds=1).result()
        if all(_fec(side)["fec_tx_data"] for side in sides):
            return
    raise AssertionError("no parities in ten seconds")


def _goodput(link):
    return mbits(
        Iperf(link.hub.namespace, link.client.namespace, "10.0.0.1", "-C",
              _loss_based(), seconds=8).result())


@pytest.mark.alone
@pytest.mark.parametrize("variant", VARIANTS[:1], ids=str)
def test_auto_carries_twenty_times_the_tcp_at_3_percent(
        make_bad_link, start, variant):
    rates = {}
    for flags in (_PLAIN, ()):
        link = make_bad_link(delay_ms=25, loss=3, seed=4)
        hub, client = start.pair(link, variant, flags=flags)
        if not flags:
            _learn(link, hub, client)
        rates[flags] = _goodput(link)
        if not flags:
            assert _fec(hub)["shards_repaired"] > 100
        for side in (client, hub):
            side.stop()
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
