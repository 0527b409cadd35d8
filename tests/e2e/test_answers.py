"""Segments that no client would send: the gateway's port and one of the
kernel's own TCP give the same answers, in all fields."""

import pathlib
import subprocess
import sys

import pytest
from harness import conntrack, segments
from harness.capture import Capture
from harness.gateway import PORT, server_arguments
from harness.prober import Prober
from harness.variant import Variant
from harness.wait import wait_until
from scapy.layers.inet import IP, TCP

_KERNEL_PORT = 5558
_SERVER = pathlib.Path(__file__).parent / "harness" / "tls_like.py"
_HELLO = bytes.fromhex("16030102000100" + "01fc03")  # of a record of 517 bytes
_GARBAGE = b"GET / HTTP/1.0\r\n\r\n"


def _difference(ours, kernels):
    """What to look at in a failure."""
    if len(ours) != len(kernels):
        return ours, kernels
    return [{name: (a[name], b[name]) for name in a if a[name] != b[name]}
            for a, b in zip(ours, kernels)]


class _Both:
    """The gateway and the kernel, asked the same at the same time."""

    def __init__(self, prober):
        self._prober = prober
        self.restart()

    def restart(self):
        """Goes on with fresh ports."""
        self._talks = [self._prober.talk(port)
                       for port in (PORT, _KERNEL_PORT)]

    def ask(self, question):
        """The answers of gateway and kernel."""
        for talk in self._talks:
            question(talk)
        self._prober.collect()
        return [talk.take() for talk in self._talks]

    def same(self, what, question, answers=None):
        """Asserts that the answers are equal, and how many there are: one, or
        none, which is no sign of life but the kernel's."""
        ours, kernels = self.ask(question)
        assert ours == kernels, f"{what}: {_difference(ours, kernels)}"
        if answers is not None:
            assert len(kernels) == answers, (what, kernels)
        return kernels

    def open(self):
        self.restart()
        self.same("SYN", lambda talk: talk.syn(), 1)
        self.same("ACK", lambda talk: talk.say("A"), 0)


@pytest.fixture(params=[4, 6])
def both(request, topology, start):
    family = request.param
    hub = topology.hub
    start(hub.namespace, server_arguments(
        "10.0.0.1/24", Variant("af_packet"),
        "0.0.0.0" if family == 4 else "::"), "hub").wait_log("ready: ")
    kernel = hub.namespace.popen(sys.executable, _SERVER, hub.outer(family),
                                 _KERNEL_PORT, stdout=subprocess.PIPE,
                                 text=True)
    assert kernel.stdout.readline() == "ready\n"
    # Every host on the way knows its neighbours.
    assert topology.client.namespace.ping(hub.outer(family)) > 0
    prober = Prober(topology, family)
    yield _Both(prober)
    prober.close()
    kernel.kill()
    kernel.wait()


def test_strays_at_the_listening_port(both):
    for flags, answers in (("", 0), ("F", 0), ("SF", 0), ("R", 0), ("PU", 0),
                           ("RA", 0), ("A", 1), ("FA", 1), ("SA", 1),
                           ("FPUA", 1)):
        both.restart()
        both.same(flags, lambda talk, flags=flags: talk.say(
            flags, seq=5, ack=77, payload=b"xy"), answers)
    both.restart()
    both.same("a traffic class", lambda talk: talk.say(
        "A", traffic_class=0x2b), 1)


def test_half_open(both):
    both.same("SYN", lambda talk: talk.syn(), 1)
    both.same("the same SYN", lambda talk: talk.syn(stamp=1), 1)
    both.same("too soon", lambda talk: talk.syn(stamp=2), 0)
    for what, question, answers in (
            ("no flags", lambda talk: talk.say(""), 0),
            ("another SYN", lambda talk: talk.syn(seq=1 << 30), 1),
            ("a RST from elsewhere", lambda talk: talk.say("R", seq=1 << 30),
             0),
            ("bytes from elsewhere", lambda talk: talk.say(
                "A", seq=1 << 30, payload=b"x"), 1),
            ("a wrong ACK", lambda talk: talk.say("A", ack=9), 1)):
        both.restart()
        both.same("SYN", lambda talk: talk.syn(), 1)
        both.same(what, question, answers)


def test_open(both):
    for what, question, answers in (
            ("no flags", lambda talk: talk.say("", payload=b"x"), 0),
            ("a SYN", lambda talk: talk.syn(), 1),
            ("a SYN from elsewhere", lambda talk: talk.syn(seq=1 << 30), 1),
            ("a SYN-ACK", lambda talk: talk.say("SA", seq=0), 1),
            ("a RST in the window", lambda talk: talk.say("R", seq=2), 1),
            ("a RST outside", lambda talk: talk.say("R", seq=1 << 30), 0),
            ("bytes beyond the window", lambda talk: talk.say(
                "A", seq=1 << 20, payload=b"x"), 1),
            ("an ACK beyond the window", lambda talk: talk.say(
                "A", seq=1 << 20), 1),
            ("an ACK of what was not sent", lambda talk: talk.say(
                "A", ack=2), 1),
            ("an ACK too old", lambda talk: talk.say("A", ack=-9), 1),
            ("an old timestamp", lambda talk: talk.say(
                "A", stamp=-5, payload=_HELLO), 1),
            ("a timestamp older by one", lambda talk: talk.say(
                "A", stamp=-1, payload=_HELLO), 1),
            ("an ACK with an old timestamp", lambda talk: talk.say(
                "A", stamp=-5), 0),
            ("a window with an old timestamp, from elsewhere",
             lambda talk: talk.say("A", seq=3, stamp=-5), 1),
            ("no timestamp", lambda talk: talk.say(
                "A", stamp=None, payload=_HELLO), 1),
            ("a keepalive", lambda talk: talk.say("A", seq=0), 1),
            ("a keepalive with a byte", lambda talk: talk.say(
                "A", seq=0, payload=b"x"), 1)):
        both.open()
        both.same(what, question, answers)
    for what, question, answers in (
            ("a SYN", lambda talk: talk.syn(), 1),
            ("an ACK beyond the window", lambda talk: talk.say(
                "A", seq=1 << 20), 1),
            ("a keepalive", lambda talk: talk.say("A", seq=0), 1),
            ("bytes beyond the window", lambda talk: talk.say(
                "A", seq=1 << 20, payload=b"x"), 2)):
        both.open()

        def twice(talk, question=question):
            question(talk)
            question(talk)

        both.same(f"twice: {what}", twice, answers)


def test_duplicates_are_told(both):
    def part(begin, end):
        return lambda talk: talk.say("A", seq=1 + begin,
                                     payload=_HELLO[begin:end])

    both.open()
    both.same("in order", part(0, 4), 1)
    told = both.same("the same again", part(0, 4), 1)
    assert told[0]["sack"] == [(1, 5)]
    told = both.same("a part again", part(2, 4), 1)
    assert told[0]["sack"] == [(3, 5)]
    told = both.same("behind a hole", part(6, 8), 1)
    assert told[0]["sack"] == [(7, 9)]
    told = both.same("behind a hole again", part(6, 8), 1)
    assert told[0]["sack"] == [(7, 9), (7, 9)]
    both.same("the hole, and more", part(2, 6), 1)


def test_a_reset_ends_it(both):
    both.open()
    both.same("RST", lambda talk: talk.say("R"), 0)
    both.same("an ACK behind it", lambda talk: talk.say("A"), 1)


def _closed_by_the_server(both):
    """The server has closed first; its alert and FIN are acknowledged."""
    both.open()
    ours, kernels = both.ask(lambda talk: talk.say("PA", payload=_GARBAGE))
    for told in (ours, kernels):
        assert told[-1]["flags"] & 1, "no FIN"
        assert sum(segment["payload"] for segment in told) == 7
    both.same("its ACK", lambda talk: talk.say("A", seq=19, ack=9, stamp=1), 0)


def _ended(both):
    _closed_by_the_server(both)
    both.same("FIN", lambda talk: talk.say("FA", seq=19, ack=9, stamp=2), 1)


def test_after_its_close(both):
    _closed_by_the_server(both)
    both.same("FIN", lambda talk: talk.say("FA", seq=19, ack=9, stamp=2), 1)
    both.same("FIN again", lambda talk: talk.say("FA", seq=19, ack=9, stamp=3),
              1)
    both.same("an ACK", lambda talk: talk.say("A", seq=20, ack=9, stamp=4), 0)
    both.same("bytes", lambda talk: talk.say(
        "A", seq=20, ack=9, stamp=5, payload=b"x"), 1)


def test_a_syn_after_the_end(both):
    for what, question, answers in (
            ("an old SYN", lambda talk: talk.syn(seq=3, stamp=-5), 1),
            ("a SYN of the same time", lambda talk: talk.syn(seq=3, stamp=2),
             1),
            ("a SYN beyond", lambda talk: talk.syn(seq=1000, stamp=2), 1),
            ("a later SYN", lambda talk: talk.syn(seq=3, stamp=9), 1),
            ("a RST", lambda talk: talk.say("R", seq=20, stamp=5), 0)):
        _ended(both)
        told = both.same(what, question, answers)
        if "beyond" in what or "later" in what:
            assert told[0]["flags"] & 2 and not told[0]["seq"]
    # The RST has removed the last of it.
    both.same("an ACK", lambda talk: talk.say("A", seq=20, ack=9, stamp=6), 1)


def _resets(path):
    """RST segments that the gateway's port sent."""
    return [s for s in segments.read(path)
            if s.source[1] == PORT and s.flags & segments.RST]


def test_a_tunnels_flow_gets_no_reset(topology, start, folder):
    """Whatever somebody forges on it, and when it is over."""
    hub, client = start.pair(topology, Variant("af_packet", workers=2))
    capture = Capture(topology.router, "hub", folder)
    base = IP(src=topology.client.v4, dst=topology.hub.v4)
    ends = {int(lane["local"].rpartition(":")[2])
            for lane in client.status()["peers"][0]["lane_list"]}
    assert len(ends) == 2

    def forge(kinds):
        before = hub.counters()["segments_consumed"], sum(hub.drops().values())
        conntrack.inject(topology, [
            base / TCP(sport=port, dport=PORT, flags=flags, seq=4711,
                       ack=ack) / load
            for port in ends for flags in kinds
            for ack in (0, 815) for load in (b"", b"forged")])
        hub.wait_status(lambda _: sum(hub.drops().values()) +
                        hub.counters()["segments_consumed"] >
                        sum(before) + 30, 5, "the forged segments came")

    kinds = ("SA", "A", "R", "FA", "")
    forge(kinds + ("S", "SF"))
    assert topology.client.namespace.ping("10.0.0.1") == 3
    assert hub.counters()["strays_reset"] == 0
    # An orderly end: what comes after it is late, no more.
    assert client.stop() == 0
    hub.wait_status(lambda status: not any(
        peer["state"] == "up" for peer in status["peers"]), 5, "the end")
    # Except a SYN, which may well begin a connection of its own.
    forge(kinds)
    assert hub.counters()["strays_reset"] == 0
    # Of other endpoints the same is answered.
    conntrack.inject(topology, [base / TCP(sport=port ^ 1, dport=PORT,
                                           flags="A", seq=4711, ack=815)
                                for port in ends])
    hub.wait_status(lambda _: hub.counters()["strays_reset"] == 2, 5,
                    "two strays are reset")
    found = _resets(capture.stop().path)
    assert {s.target[1] for s in found} == {port ^ 1 for port in ends}


def test_a_restarted_hub_resets_what_it_does_not_know(topology, start,
                                                      folder):
    hub, client = start.pair(topology, Variant("af_packet"))
    # No kernel answers while none runs.
    topology.hub.namespace.nft("table inet hush { chain out { type filter hook "
                               "output priority 0; tcp flags rst counter drop; }; }")
    capture = Capture(topology.router, "hub", folder)
    hub.kill()
    hub.start()
    with topology.client.namespace.popen(
            "ping", "-q", "-i", "0.1", "-w", "20", "-c", "100", "10.0.0.1",
            stdout=subprocess.DEVNULL) as ping:
        hub.wait_up()
        client.wait_up()
        wait_until(lambda: topology.client.namespace.ping(
            "10.0.0.1", count=1) == 1, 10, "the tunnel carries again")
        ping.terminate()
    assert hub.counters()["strays_reset"] > 0
    assert len(_resets(capture.stop().path)) > 0
