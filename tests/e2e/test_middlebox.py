"""What stands on the way and meddles: other segments, other numbers, other
ports, another TCP. Ping, bulk both ways, new keys and a new connection survive
each of them."""

import re

import pytest
from harness import conntrack
from harness import segments as tcp
from harness.capture import Capture
from harness.gateway import PORT
from harness.middlebox import BoxedSegment, Proxy, lower_mss, rewrite_ports
from harness.traffic import transfer
from harness.variant import Variant
from harness.wait import wait_until

# Keys are renewed several times within one transfer.
_REKEY = ("-rekey-records", "1024")
_LOST = ("rx_missed", "records", "no_record", "record_cut")
_VARIANTS = (Variant("af_packet", workers=2), Variant("af_xdp"))


@pytest.fixture
def make_box():
    made = []

    def make(**settings):
        made.append(BoxedSegment(**settings))
        return made[-1]

    yield make
    for box in made:
        box.delete()


@pytest.fixture(params=_VARIANTS, ids=str)
def variant(request):
    return request.param


def _exercise(topology, hub, client, size=4 << 20):
    ends = topology.hub.namespace, topology.client.namespace
    answered = wait_until(lambda: ends[1].ping("10.0.0.1"), 20, "an answer")
    assert answered
    transfer(ends[1], ends[0], "10.0.0.1", size)
    transfer(ends[0], ends[1], "10.0.0.2", size)
    for side in (hub, client):
        side.wait_status(lambda status: status["peers"][0]["tx_epochs"] >= 2,
                         10, "new keys")
        drops = side.drops()
        assert drops["bad_tag"] == drops["unknown_epoch"] == 0, drops


def _what_is_lost(*sides):
    """By both sides together, since they began."""
    lost = dict.fromkeys(_LOST, 0)
    for side in sides:
        drops = side.drops()
        lost["rx_missed"] += side.counters()["uplink_rx_missed"]
        lost["records"] += side.status()["peers"][0]["records_lost"]
        lost["no_record"] += drops["no_record"]
        lost["record_cut"] += drops["record_cut"]
    return lost


def _come_back(topology, hub, client):
    """The hub crashes and starts again."""
    before = client.log().count("tunnel up")
    hub.kill()
    hub.start()
    wait_until(lambda: client.log().count("tunnel up") > before, 30,
               "the client comes back")
    hub.wait_up()
    wait_until(lambda: topology.client.namespace.ping("10.0.0.1", count=1),
               20, "an answer")


@pytest.mark.parametrize("settings", [
    {"cut": 1448}, {"cut": 536}, {"cut": 1448, "loss": 1},
    {"cut": 300, "modulate": 1}
], ids=lambda settings: "-".join(f"{k}{v}" for k, v in settings.items()))
def test_segments_of_the_boxs_own(make_box, start, variant, settings):
    box = make_box(seed=5, **settings)
    hub, client = start.pair(box, variant, flags=_REKEY)
    _exercise(box, hub, client)
    for side in (hub, client):
        counters = side.counters()
        assert counters["records_joined"] > 500, counters
        if "loss" in settings:
            assert counters["records_found"] > 0, counters
    if "loss" not in settings:
        before = dict.fromkeys(_LOST, 0)
        now = _what_is_lost(hub, client)
        # Of a device's queue that was full while the machine did something
        # else this test is not: then once more.
        for _ in range(2):
            if now["rx_missed"] == before["rx_missed"]:
                break
            before = now
            _exercise(box, hub, client)
            now = _what_is_lost(hub, client)
        assert now == before
    for counts in box.counts().values():
        assert counts["given"] > 1000, counts
        assert (counts["lost"] > 0) == ("loss" in settings), counts
    _come_back(box, hub, client)


def test_numbers_rewritten_on_the_way(make_box, start, variant, folder):
    """As a firewall does that distrusts the ends' choice of ISN. With loss, so
    that what is acknowledged out of order is rewritten too."""
    box = make_box(modulate=1, loss=1)
    captures = [Capture(box.wire, device, folder)
                for device in ("client", "hub")]
    hub, client = start.pair(box, variant, flags=_REKEY)
    _exercise(box, hub, client)
    for capture in captures:
        capture.stop()
    # The two ends of one connection see other numbers of its SYN.
    first, second = (next(s for s in tcp.read(capture.path)
                          if s.flags == tcp.SYN and s.target[1] == PORT)
                     for capture in captures)
    assert first.source == second.source and first.seq != second.seq
    assert all(counts["rewritten"] > 1000 and counts["lost"] > 0
               for counts in box.counts().values())
    _come_back(box, hub, client)


def test_nat_that_rewrites_ports(topology, start, variant):
    rewrite_ports(topology)
    hub, client = start.pair(topology, variant, flags=_REKEY)
    _exercise(topology, hub, client)
    assert conntrack.counted(topology.router, "nat") > 0
    seen = re.match(r"([\d.]+):(\d+)", hub.status()["peers"][0]["endpoint"])
    assert seen.group(1) == topology.hub.gateway_v4
    _come_back(topology, hub, client)


@pytest.mark.parametrize("mss", [1300, 600])
def test_mss_lowered_on_the_way(topology, start, folder, variant, mss):
    """The inner MTU follows, to 576: larger records are cut, and joined."""
    lower_mss(topology, mss)
    capture = Capture(topology.router, "hub", folder)
    hub, client = start.pair(topology, variant, flags=_REKEY)
    fits = max(mss - 12 - 39, 576)
    for side in (hub, client):
        side.wait_status(lambda status: status["peers"][0]["mtu"] == fits, 15,
                         "what the MSS allows")
    largest = "-s", str(fits - 28)
    assert topology.client.namespace.run("ping", "-c", "2", "-M", "do",
                                         *largest, "10.0.0.1")
    _exercise(topology, hub, client)
    for side in (hub, client):
        counters = side.counters()
        if mss == 600:
            assert counters["records_cut"] > 500, counters
            assert counters["records_joined"] > 500, counters
        assert side.status()["peers"][0]["records_lost"] == 0
    _come_back(topology, hub, client)
    capture.stop()
    sizes = {s.length for s in tcp.read(capture.path)}
    assert max(sizes) == mss - 12


@pytest.fixture
def proxy(topology):
    made = Proxy(topology, mss=1200)
    yield made
    made.end()


def test_proxy_that_ends_tcp_on_both_sides(topology, proxy, start, folder,
                                           variant):
    del proxy
    capture = Capture(topology.router, "hub", folder)
    hub, client = start.pair(topology, variant, flags=_REKEY)
    _exercise(topology, hub, client)
    for side in (hub, client):
        counters = side.counters()
        assert counters["records_joined"] > 500, counters
        assert side.status()["peers"][0]["records_lost"] == 0
    _come_back(topology, hub, client)
    capture.stop()
    # It is the proxy's TCP: no timestamps, no SACK, no scale.
    syn = next(s for s in tcp.read(capture.path) if s.flags == tcp.SYN)
    assert syn.timestamps is None
    assert syn.mss == 1200
