"""Forged segments on a tunnel's flow and on one of the kernel's beside it, the
same at the same time: ours is hurt by none that the kernel's survives, and
carries on where the kernel's is over."""

import contextlib
import random
import socket
import threading

import pytest
from harness import segments
from harness.gateway import PORT
from harness.middle import Middle
from harness.variant import Variant
from harness.wait import wait_until
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

_KERNEL_PORT = 5570
_WEEK = 7 * 24 * 3600 * 1000
_WRAP = 1 << 32
_IGNORE_OUTGOING = 263, 23  # SOL_PACKET, PACKET_IGNORE_OUTGOING


class _KernelFlow:
    """A connection of the kernel's whose server sends back what it gets."""

    def __init__(self, middle):
        self._listener = middle.hub.namespace.inside(
            lambda: socket.create_server((middle.hub.v4, _KERNEL_PORT)))
        self._client = middle.client.namespace.inside(
            lambda: socket.create_connection((middle.hub.v4, _KERNEL_PORT)))
        self._server, _ = self._listener.accept()
        self.port = self._client.getsockname()[1]
        self._thread = threading.Thread(target=self._echo, daemon=True)
        self._thread.start()

    def _echo(self):
        with contextlib.suppress(OSError):
            while data := self._server.recv(65536):
                self._server.sendall(data)

    def carries(self, timeout=1.2):
        """True when bytes go there and back, these and no others."""
        token = random.randbytes(700)
        back = b""
        self._client.settimeout(timeout)
        try:
            self._client.sendall(token)
            while len(back) < len(token):
                more = self._client.recv(len(token) - len(back))
                if not more:
                    return False
                back += more
        except OSError:
            return False
        return back == token

    def close(self):
        for end in (self._client, self._server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._listener.close()
        self._thread.join()


class _Attacker:
    """On the wire: sees the last segment of each way of each flow, and sends
    what it likes to either end."""

    def __init__(self, middle):
        self._legs = {}
        self._seen = {}
        self._stop = threading.Event()
        self._threads = []
        for label in ("hub", "client"):
            leg = middle.wire.packet_socket(label)
            leg.setsockopt(*_IGNORE_OUTGOING, 1)
            leg.settimeout(0.1)
            self._legs[label] = leg
            self._threads.append(threading.Thread(
                target=self._watch, args=(label, leg), daemon=True))
            self._threads[-1].start()

    def _watch(self, label, leg):
        while not self._stop.is_set():
            try:
                frame = leg.recv(65536)
            except TimeoutError:
                continue
            found = segments.parse(0, frame)
            if found and not found.flags & (segments.SYN | segments.RST):
                ends = found.source[1], found.target[1]
                last = self._seen.get(ends)
                # What was sent again is not the last.
                if last and (found.end - last[1].end) % _WRAP >= 1 << 31:
                    continue
                self._seen[ends] = label, found, frame[:14]

    def sees(self, client_port, port):
        return {(client_port, port), (port, client_port)} <= set(self._seen)

    def forge(self, client_port, port, kind):
        """Sends to both ends what `kind(last)` makes of the last segment that
        went there: fields of TCP, `stamp` and `payload`. One of them goes
        first, as the answer of the other changes the numbers."""
        for ends in ((client_port, port), (port, client_port)):
            label, last, link = self._seen[ends]
            for fields in kind(last):
                self._send(label, last, link, dict(fields))

    def _send(self, label, last, link, fields):
        stamp = fields.pop("stamp", 0)
        load = fields.pop("payload", b"")
        options = fields.pop("options", [])
        if stamp is not None and last.timestamps:
            value, echo = last.timestamps
            options = [("NOP", None), ("NOP", None),
                       ("Timestamp", ((value + stamp) % _WRAP, echo)),
                       *options]
        fields = {"flags": "A", "seq": last.end, "ack": last.ack,
                  "window": last.window} | fields
        for name in ("seq", "ack"):
            fields[name] %= _WRAP
        tcp = TCP(sport=last.source[1], dport=last.target[1], options=options,
                  **fields)
        ip = IP(src=last.source[0], dst=last.target[0], id=1)
        other = "hub" if label == "client" else "client"
        self._legs[other].send(bytes(Ether(link) / ip / tcp / load))

    def close(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()
        for leg in self._legs.values():
            leg.close()


class _Scene:

    def __init__(self, middle, hub):
        self.middle = middle
        self.hub = hub
        self.attacker = _Attacker(middle)
        self.kernel = _KernelFlow(middle)

    def fresh_kernel_flow(self):
        self.kernel.close()
        self.kernel = _KernelFlow(self.middle)

    def flow(self):
        """The address and port that the tunnel's flow comes from."""
        return self.hub.status()["peers"][0]["endpoint"]

    def ping(self, count, interval=0.03):
        return self.middle.client.namespace.ping_burst("10.0.0.1", count,
                                                       interval)

    def ports(self):
        return ((int(self.flow().rpartition(":")[2]), PORT),
                (self.kernel.port, _KERNEL_PORT))

    def forge(self, kind, times=1):
        assert self.ping(1) == 1 and self.kernel.carries()
        flows = self.ports()
        wait_until(lambda: all(self.attacker.sees(*ends) for ends in flows), 5,
                   "both flows were seen")
        for _ in range(times):
            for ends in flows:
                self.attacker.forge(*ends, kind)

    def close(self):
        self.kernel.close()
        self.attacker.close()


@pytest.fixture
def scene(start):
    middle = Middle()
    hub, _ = start.pair(middle, Variant("af_packet"))
    made = _Scene(middle, hub)
    yield made
    made.close()
    middle.delete()


def _blind_four(_):
    """Who knows the four ends and nothing else: half of all numbers are below
    the window, half of all times are in the future."""
    return [{"seq": seq, "ack": 4711, "payload": b"x", "stamp": stamp}
            for seq in (0, 1 << 31) for stamp in (_WEEK, _WEEK + (1 << 31))]


def _blind_sweep(_):
    noise = random.Random(3)
    return [{"seq": noise.getrandbits(32), "ack": noise.getrandbits(32),
             "flags": flags, "window": noise.getrandbits(16),
             "payload": load, "stamp": noise.getrandbits(31),
             "options": [("SAck", tuple(noise.getrandbits(32)
                                        for _ in range(4)))]}
            for flags in ("A", "PA", "FA", "R", "RA", "S", "SA", "UA", "F", "")
            for load in (b"", b"forged") for _ in range(10)]


def test_blind_segments_hurt_neither_flow(scene):
    flow = scene.flow()
    for kind in (_blind_four, _blind_sweep):
        scene.forge(kind)
        assert scene.kernel.carries()
        assert scene.ping(20) == 20
    assert scene.flow() == flow
    # Nothing of it was believed: the same flow takes a burst.
    assert scene.ping(100, 0.005) >= 99


def _sack(last, *blocks):
    """Numbers behind what the segment acknowledges."""
    edges = [(last.ack + edge) % _WRAP for block in blocks for edge in block]
    return [("SAck", tuple(edges))]


# What an injector sends who sees every number. `last` is the segment before.
_EXACT = {
    "an ack once more": lambda last: [{}] * 5,
    "an older ack": lambda last: [{"ack": last.ack - 3}],
    "an ack of the future": lambda last: [{"ack": last.ack + 100_000}],
    "a time long ago": lambda last: [{"stamp": -_WEEK, "payload": b"x"}],
    "no timestamps": lambda last: [{"stamp": None}],
    "a window of nothing": lambda last: [{"window": 0}] * 3,
    "the largest window": lambda last: [{"window": 65535}],
    "blocks of nothing": lambda last: [
        {"options": _sack(last, (500, 100))},
        {"options": _sack(last, (5_000, 90_000))},
        {"options": _sack(last, (-900, -100))}],
    "below the window": lambda last: [
        {"seq": last.end - below, "payload": b"x" * 10, "window": 0,
         "stamp": _WEEK, "ack": last.ack} for below in (50, 5_000, 1 << 20)],
    "beyond the window": lambda last: [
        {"seq": last.end + (64 << 20), "payload": b"x", "stamp": _WEEK}],
    "a SYN": lambda last: [{"flags": "S", "ack": 0}, {"flags": "SA"}],
    "no flags": lambda last: [{"flags": "", "payload": b"x"}],
    "a RST beside": lambda last: [{"flags": "R", "seq": last.end + 9}],
    "odd options": lambda last: [
        {"options": [(77, b"odd"), (254, b""), ("EOL", None)]},
        {"options": [("MSS", 88), ("WScale", 0), ("SAckOK", b"")]}],
    "an urgent pointer": lambda last: [{"flags": "UA", "urgptr": 5}],
    # The kernel's is over by these.
    "a time next week": lambda last: [{"stamp": _WEEK}],
    "the next bytes": lambda last: [{"payload": b"forged " * 20}],
    "bytes behind a hole": lambda last: [
        {"seq": last.end + 300, "payload": b"forged " * 20}],
    "a FIN": lambda last: [{"flags": "FA"}],
    "a RST": lambda last: [{"flags": "RA"}],
}


def test_exact_segments_hurt_no_more_than_the_kernels_flow(scene):
    ended = []
    for name, kind in _EXACT.items():
        flow = scene.flow()
        scene.forge(kind)
        whole = scene.ping(10) == 10
        survives = scene.kernel.carries()
        if not survives:
            ended.append(name)
            scene.fresh_kernel_flow()
        assert whole or not survives, f"{name} hurts the tunnel alone"
        wait_until(lambda: scene.ping(10) == 10, 10,
                   f"the tunnel carries again after: {name}")
        assert scene.flow() == flow or not survives, f"{name} ends our flow"
    # The forged segments came as they should.
    assert {"a time next week", "the next bytes", "a FIN", "a RST"} <= set(
        ended), ended
