"""What an observer at the router sees of the tunnel."""

import itertools
import re
import subprocess

import pytest

from harness import conntrack
from harness.capture import Capture
from harness.gateway import PORT, client_arguments, server_arguments
from harness.traffic import Iperf, longest_silence, mbits, transfer
from harness.variant import Variant
from harness.wait import wait_until

_MARK = "6c77742d73656372657421"  # in ping's payload, again and again


def _marked_ping(namespace, address):
    namespace.run("ping", "-c", "5", "-i", "0.05", "-s", "200", "-p", _MARK,
                  address)


def test_strict_firewall_calls_nothing_invalid(topology, start, variant):
    conntrack.watch(topology.router)
    start.pair(topology, variant)
    hub, client = topology.hub.namespace, topology.client.namespace
    transfer(client, hub, "10.0.0.1", 16 << 20)
    transfer(hub, client, "10.0.0.2", 16 << 20)
    flows = conntrack.entries(topology.router, PORT)
    assert len(flows) == variant.workers, flows
    assert all("ESTABLISHED" in flow for flow in flows), flows

    def timers():
        return [int(re.match(r"tcp\s+6\s+(\d+)", flow).group(1))
                for flow in conntrack.entries(topology.router, PORT)]

    # Data that waits for its delayed ACK keeps the timer at 300 s.
    wait_until(lambda: min(timers()) > 300, 2, "an idle flow's timer")
    assert conntrack.invalid(topology.router) == 0
    traffic = client.popen("ping", "-q", "-c", "100", "-i", "0.02",
                           "10.0.0.1", stdout=subprocess.DEVNULL)
    conntrack.prove_invalid_is_counted(topology, PORT)
    assert traffic.wait(20) == 0, "a forged segment disturbed the tunnel"


def test_nothing_of_the_inside_is_readable(topology, start, folder, variant):
    capture = Capture(topology.router, "hub", folder, "tcp or icmp")
    start.pair(topology, variant)
    hub, client = topology.hub.namespace, topology.client.namespace
    _marked_ping(client, "10.0.0.1")
    _marked_ping(hub, "10.0.0.2")
    transfer(client, hub, "10.0.0.1", 4 << 20)
    transfer(hub, client, "10.0.0.2", 4 << 20)
    before = capture.path.stat().st_size
    assert before > 8 << 20
    conntrack.send_bad_checksum(topology)
    _marked_ping(client, topology.hub.v4)
    capture.stop()
    # The same mark sent outside the tunnel is seen, and so is the one frame
    # with a bad checksum; of the tunnel's frames, neither.
    content = capture.path.read_bytes()
    mark = bytes.fromhex(_MARK)
    assert mark not in content[:before]
    assert mark in content[before:]
    # Nor is an inner header: source and destination side by side.
    ends = bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))
    assert ends[0] + ends[1] not in content[:before]
    assert ends[1] + ends[0] not in content[:before]
    bad = capture.bad_checksums()
    assert len(bad) == 1 and ".999 >" in bad[0], bad[:3]


@pytest.mark.alone
def test_five_percent_loss_does_not_stall(topology, start, variant):
    hub, client = start.pair(topology, variant)
    topology.add_loss(50)
    for flags in ((), ("-R",)):
        report = Iperf(topology.hub.namespace, topology.client.namespace,
                       "10.0.0.1", "--get-server-output", *flags,
                       seconds=5).result()
        receiver = report if flags else report["server_output_json"]
        # Two intervals of half a second, and what a timer adds.
        assert longest_silence(receiver) < 1.1
        assert mbits(report) > 1
    assert conntrack.counted(topology.router, "loss") > 50
    for side in (hub, client):
        peer = side.status()["peers"][0]
        assert peer["state"] == "up"
        assert peer["retransmitted_segments"] > 0


def test_without_retransmission_nothing_is_sent_again(topology, start,
                                                      variant):
    """The hub is told not to, the client is not: the same loss shows that the
    figure counts. Neither waits for what is lost."""
    hub = start(topology.hub.namespace, [
        *server_arguments("10.0.0.1/24", variant), "-retransmit=false"
    ], "hub")
    client = start(topology.client.namespace,
                   client_arguments(topology.hub.v4, "10.0.0.2/24", variant),
                   "client")
    client.wait_up()
    for side in (hub, client):
        variant.assert_ran(side)
    topology.add_loss(50)
    ends = topology.hub.namespace, topology.client.namespace
    transfer(*ends, "10.0.0.2", 2 << 20)
    transfer(*ends[::-1], "10.0.0.1", 2 << 20)
    assert conntrack.counted(topology.router, "loss") > 50
    assert hub.wait_up()["peers"][0]["retransmitted_segments"] == 0
    assert client.wait_up()["peers"][0]["retransmitted_segments"] > 0
    assert client.status()["peers"][0]["records_lost"] > 0


class _Sender:
    """One side's segments with payload, in the order of the wire."""

    def __init__(self, capture, address):
        rows = capture.fields(
            "ip.id", "ip.len", "tcp.seq_raw", "tcp.len", "tcp.ack_raw",
            "tcp.flags.push", "tcp.options.timestamp.tsval",
            "tcp.options.timestamp.tsecr", "tcp.window_size_value",
            condition=f"ip.src=={address} && tcp.port=={PORT}")
        frames = [[int(field, 0) for field in row] for row in rows]
        self.ids = [frame[0] for frame in frames]
        self.stamps = [frame[6] for frame in frames]
        # First sendings: on a busy machine a tail-loss probe may come between.
        self.data = []
        for frame in frames:
            again = self.data and (frame[2] - self.data[-1][2]) % 2**32
            if frame[3] > 0 and (not self.data or 0 < again < 2**31):
                self.data.append(frame)

    def check(self):
        """What a kernel's bulk flow without loss looks like."""
        steps = {(b - a) % 65536 for a, b in itertools.pairwise(self.ids[1:])}
        assert steps == {1}, f"IP IDs step by {steps}"
        for before, after in itertools.pairwise(self.stamps):
            assert (after - before) % 2**32 < 1000, "a timestamp went back"
        assert max(frame[1] for frame in self.data) == 1500
        full = [frame for frame in self.data if frame[1] == 1500]
        assert len(full) > 1000
        pushed = sum(frame[5] for frame in full)
        assert 0 < pushed < len(full) / 2, (pushed, len(full))
        for before, after in itertools.pairwise(self.data):
            assert after[2] == (before[2] + before[3]) % 2**32, "not in order"
        # All that one frame of the sender became carries one set of numbers.
        runs = [[*group] for _, group in itertools.groupby(
            full, key=lambda frame: (frame[4], frame[6], frame[7], frame[8]))]
        return max(map(len, runs))


@pytest.mark.parametrize("super_frames", (True, False))
def test_segments_look_the_same_either_way(topology, start, folder,
                                           super_frames):
    variant = Variant("af_packet", super_frames=super_frames)
    hub, client = start.pair(topology, variant)
    capture = Capture(topology.router, "hub", folder)
    outer = topology.client.v4, topology.hub.v4
    transfer(topology.client.namespace, topology.hub.namespace, "10.0.0.1",
             8 << 20)
    transfer(topology.hub.namespace, topology.client.namespace, "10.0.0.2",
             8 << 20)
    capture.stop()
    assert capture.bad_checksums() == []
    for side, address in zip((client, hub), outer):
        counters = side.counters()
        assert counters["uplink_tx_cut"] == counters["uplink_tx_refused"] == 0
        assert (counters["uplink_tx_super_frames"] > 0) == super_frames
        assert _Sender(capture, address).check() > 1


def test_super_frames_pass_whole(make_topology, start):
    """Where the legs segment for us, both ends meet them whole."""
    topology = make_topology(leg=lambda namespace, device: namespace.ip(
        "link", "set", device, "up"))
    hub, client = start.pair(topology, Variant("af_packet"))
    transfer(topology.client.namespace, topology.hub.namespace, "10.0.0.1",
             16 << 20)
    transfer(topology.hub.namespace, topology.client.namespace, "10.0.0.2",
             16 << 20)
    for side in (hub, client):
        counters = side.counters()
        assert counters["uplink_tx_super_frames"] > 100
        assert counters["uplink_rx_merged"] > 100
        assert counters["uplink_tx_cut"] == counters["uplink_tx_refused"] == 0
        drops = side.drops()
        assert drops["no_record"] == drops["bad_tag"] == 0


def test_bad_link_is_survived(make_bad_link, start, variant):
    """Delay, jitter, reordering, duplicates and loss at once."""
    link = make_bad_link(delay_ms=5, jitter_ms=2, reorder=1, duplicate=1,
                         loss=2, seed=9)
    hub, _ = start.pair(link, variant)
    transfer(link.client.namespace, link.hub.namespace, "10.0.0.1", 4 << 20)
    transfer(link.hub.namespace, link.client.namespace, "10.0.0.2", 4 << 20)
    counts = link.counts()["b_to_a"]
    for name in ("lost", "reordered", "duplicated"):
        assert counts[name] > 0, counts
    drops = hub.drops()
    assert drops["bad_tag"] == drops["bad_checksum"] == 0


def test_rekey_under_load_loses_no_record(topology, start, variant):
    hub, client = start.pair(topology, variant,
                             flags=("-rekey-records", str(1 << 14)))
    Iperf(topology.hub.namespace, topology.client.namespace, "10.0.0.1", "-n",
          "640M", seconds=None).result()
    for side, other in ((hub, client), (client, hub)):
        status = side.wait_status(
            lambda status: status["peers"][0]["tx_epochs"] >= 20, 5,
            "twenty epochs")
        peer = status["peers"][0]
        assert peer["rx_epochs"] >= 20
        assert peer["records_lost"] == 0
        _settled(side, other)
        assert side.drops()["unknown_epoch"] == 0
        assert side.drops()["bad_tag"] == 0
        assert side.drops()["epoch_spent"] == 0


def _settled(side, other):
    """All that `other` has sealed was opened here."""
    side.wait_status(
        lambda status: status["peers"][0]["records_opened"] >= other.status()
        ["peers"][0]["records_sealed"], 5, "every sealed record is opened")
