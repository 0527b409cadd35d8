"""Frames that a network, or somebody in it, has changed: each is counted under
its name, and the tunnel carries on."""

import random
import threading

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from harness.gateway import PORT
from harness.middle import Middle, payload, with_payload
from harness.wait import wait_until


@pytest.fixture
def middle():
    wire = Middle()
    yield wire
    wire.delete()


@pytest.fixture
def pair(middle, start, variant):
    return start.pair(middle, variant)


class _Once:
    """Lets a test change exactly the next `count` data segments to the hub."""

    def __init__(self, change, count=1):
        self._change = change
        self._left = count
        self.done = threading.Event()

    def __call__(self, frame, to_hub):
        octets = payload(frame)
        if not to_hub or len(octets) < 37 or self._left == 0:
            return [frame]
        self._left -= 1
        if self._left == 0:
            self.done.set()
        return self._change(frame, octets)


def _ping(middle, count=1, **options):
    return middle.client.namespace.ping("10.0.0.1", count=count, **options)


def _change_one(middle, hub, change, name):
    """Applies `change` to one segment and waits for the drop's name."""
    before = hub.drops()
    middle.transform = _Once(change)
    answered = _ping(middle, timeout=2)
    assert middle.transform.done.wait(5)
    after = hub.wait_status(
        lambda status: status["drops"][name] > before[name], 5,
        f"a drop counted as {name}")["drops"]
    assert after[name] == before[name] + 1
    assert _ping(middle, count=5) == 5
    return answered


def test_flipped_bit_with_the_checksum_left(middle, pair):
    hub, _ = pair

    def flip(frame, octets):
        flipped = bytes([octets[0] ^ 1]) + octets[1:]
        return [with_payload(frame, flipped, fix=False)]

    # The segment is sent again, so that even its packet is not lost.
    assert _change_one(middle, hub, flip, "bad_checksum") == 1


@pytest.mark.parametrize("offset", [5, 12, 25])
def test_flipped_bit_with_the_checksum_made_good(middle, pair, offset):
    hub, _ = pair

    def flip(frame, octets):
        changed = bytearray(octets)
        changed[offset] ^= 0x10
        return [with_payload(frame, bytes(changed))]

    # Its packet is lost, unless a tail-loss probe brings the bytes once more.
    assert _change_one(middle, hub, flip, "bad_tag") in (0, 1)


def test_flipped_bit_of_the_tag(middle, pair):
    """The header's mask comes from the tag: with another tag the header names
    any epoch and any packet number, so the record falls at one of three
    checks."""
    hub, _ = pair
    names = ("bad_tag", "unknown_epoch", "too_old")

    def flip(frame, octets):
        return [with_payload(frame, octets[:-1] + bytes([octets[-1] ^ 0x10]))]

    before = sum(hub.drops()[name] for name in names)
    middle.transform = _Once(flip)
    assert _ping(middle, timeout=2) == 0
    assert middle.transform.done.wait(5)
    assert sum(hub.drops()[name] for name in names) == before + 1
    assert _ping(middle, count=5) == 5


def test_what_is_no_record(middle, pair):
    hub, _ = pair
    noise = random.Random(7)

    def garbage(frame, octets):
        return [with_payload(frame, b"\x99" + noise.randbytes(len(octets) -
                                                              1))]

    before = hub.drops()["no_record"]
    middle.transform = _Once(garbage)
    assert _ping(middle, timeout=2) == 0
    assert middle.transform.done.wait(5)
    # Where no record came before, it might be the middle of one whose begin is
    # on its way, and is kept for 10 s.
    wait_until(lambda: _ping(middle) and
               hub.drops()["no_record"] == before + 1, 20,
               "a drop counted as no_record")
    assert _ping(middle, count=5) == 5


def test_replayed_segment(middle, pair):
    hub, _ = pair
    before = hub.status()["peers"][0]["rx_packets"]
    assert _change_one(middle, hub, lambda frame, _: [frame, frame],
                       "replayed") == 1
    # Six pings were sent and not one of them came in twice.
    assert hub.status()["peers"][0]["rx_packets"] == before + 6


def test_truncated_frame(middle, pair):
    hub, _ = pair
    assert _change_one(middle, hub,
                       lambda frame, _: [bytes(frame)[:-20]],
                       "truncated") == 1


def test_merged_segments_are_split(middle, pair):
    hub, _ = pair
    held = []
    merged = [0]

    def merge(frame, to_hub):
        octets = payload(frame)
        if not to_hub or not octets or merged[0] == 10:
            return [frame]
        if not held:
            held.append((frame, octets))
            return []
        first, start_octets = held.pop()
        if (first[TCP].seq + len(start_octets)) % (1 << 32) != frame[TCP].seq:
            return [first, frame]
        merged[0] += 1
        return [with_payload(frame, start_octets + octets, first[TCP].seq)]

    before = hub.drops()
    middle.transform = merge
    assert middle.client.namespace.ping_burst("10.0.0.1", 40, 0.01) >= 39
    middle.transform = None
    assert merged[0] == 10
    after = hub.drops()
    for name in ("no_record", "record_cut", "bad_tag", "malformed"):
        assert after[name] == before[name], name
    assert _ping(middle, count=5) == 5


def test_record_cut_in_two_segments_is_joined(middle, pair):
    hub, _ = pair

    def cut(frame, octets):
        middle_octet = len(octets) // 2
        return [
            with_payload(frame, octets[:middle_octet]),
            with_payload(frame, octets[middle_octet:],
                         frame[TCP].seq + middle_octet)
        ]

    before = hub.drops()
    middle.transform = _Once(cut, count=10)
    assert _ping(middle, count=10) == 10
    assert middle.transform.done.wait(5)
    assert hub.drops()["bad_tag"] == before["bad_tag"]


def test_half_a_record_is_filled_by_retransmission(middle, pair):
    hub, _ = pair
    middle.transform = _Once(
        lambda frame, octets: [with_payload(frame, octets[:len(octets) // 2])])
    assert _ping(middle, timeout=3) == 1
    assert middle.transform.done.wait(5)
    assert _ping(middle, count=5) == 5
    assert hub.drops()["bad_tag"] == 0


@pytest.mark.parametrize("flags", ["FA", "RA"])
def test_forged_end_of_the_flow_ends_nothing(middle, pair, flags):
    """At the very place in the stream that the hub waits for."""
    hub, client = pair
    flow = hub.status()["peers"][0]["endpoint"]

    def end(frame, octets):
        forged = with_payload(frame, b"", frame[TCP].seq + len(octets))
        forged[TCP].flags = flags
        return [frame, forged]

    middle.transform = _Once(end, count=3)
    assert _ping(middle, count=3) == 3
    assert middle.transform.done.wait(5)
    assert _ping(middle, count=5) == 5
    assert hub.status()["peers"][0]["endpoint"] == flow
    assert client.stop() == 0


def test_garbage_of_every_length_from_a_stranger(middle, pair):
    hub, _ = pair
    noise = random.Random(11)
    source = middle.client.namespace.output("cat",
                                            "/sys/class/net/eth0/address")
    target = middle.hub.namespace.output("cat", "/sys/class/net/eth0/address")
    before = hub.drops()["no_flow"]
    longest = 1400
    for length in range(longest + 1):
        middle.send_to_hub(
            Ether(src=source.strip(), dst=target.strip()) /
            IP(src="192.168.10.77", dst=middle.hub.v4) /
            TCP(sport=40000 + length, dport=PORT, flags="PA",
                seq=noise.getrandbits(32), ack=noise.getrandbits(32)) /
            noise.randbytes(length))
    wait_until(lambda: hub.drops()["no_flow"] == before + longest + 1, 10,
               "every one of them dropped for no_flow")
    assert _ping(middle, count=5) == 5
