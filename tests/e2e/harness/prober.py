"""A TCP peer whose segments are written by hand, at an address that no kernel
has: nobody but the test answers what comes back."""

import itertools
import random
import time

from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from harness import segments
from harness.netns import run

# Longer than any delayed ACK of a kernel's.
_QUIET = 0.15
_SYN_OPTIONS = [("MSS", 1460), ("SAckOK", b""), ("NOP", None), ("WScale", 7)]


class Prober:
    """In the client's subnet. Talks to ports of the hub's host."""

    def __init__(self, topology, family=4):
        client, router = topology.client, topology.router
        self._hub = topology.hub.outer(family)
        self.address = client.v4 if family == 4 else client.v6
        self.address = self.address[:-1] + "77"
        self._ip = IP if family == 4 else IPv6
        own = client.namespace.output("cat", "/sys/class/net/eth0/address")
        leg = client.namespace.label
        target = router.output("cat", f"/sys/class/net/{leg}/address")
        self._link = Ether(src=own.strip(), dst=target.strip(),
                           type=0x0800 if family == 4 else 0x86dd)
        router.ip("neighbour", "replace", self.address, "lladdr",
                  own.strip(), "dev", leg)
        self._socket = client.namespace.packet_socket("eth0")
        self._ports = itertools.count(random.randrange(20000, 30000))
        self._talks = {}

    def close(self):
        self._socket.close()

    def talk(self, port):
        talk = Talk(self, next(self._ports), port)
        self._talks[talk.ends] = talk
        return talk

    def send(self, tcp, payload=b"", traffic_class=0):
        fields = {"tos" if self._ip is IP else "tc": traffic_class}
        packet = self._ip(src=self.address, dst=self._hub, **fields)
        self._socket.send(bytes(self._link / packet / tcp / payload))

    def collect(self):
        """Hands what comes to its talks, until nothing comes any more."""
        end = time.monotonic() + _QUIET
        while (left := end - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                frame = self._socket.recv(65536)
            except TimeoutError:
                return
            found = segments.parse(0, frame)
            if found and found.target[0] == self.address:
                talk = self._talks.get((found.target[1], found.source[1]))
                if talk:
                    talk.heard.append(found)
                    end = time.monotonic() + _QUIET


class Talk:
    """One pair of ports. Numbers are relative to both initial ones."""

    def __init__(self, prober, own, port):
        self.ends = own, port
        self.heard = []
        self._prober = prober
        self._isn = random.randrange(1 << 32)
        self.peer_isn = 0
        self.clock = 1000  # of the timestamps

    def say(self, flags, seq=1, ack=1, payload=b"", stamp=0, options=None,
            traffic_class=0, window=500):
        """`stamp` is added to the clock; None leaves timestamps out."""
        words = list(options or [])
        if stamp is not None:
            words += [("NOP", None), ("NOP", None),
                      ("Timestamp", (self.clock + stamp, 0))]
        tcp = TCP(sport=self.ends[0], dport=self.ends[1], flags=flags,
                  seq=(self._isn + seq) % (1 << 32), window=window,
                  ack=(self.peer_isn + ack) % (1 << 32) if "A" in flags else 0,
                  options=words)
        self._prober.send(tcp, payload, traffic_class)

    def syn(self, seq=0, stamp=0, **options):
        self.say("S", seq=seq, stamp=stamp, options=_SYN_OPTIONS, **options)

    def take(self):
        """What was heard since the last time, in terms that do not hang on
        ports, initial numbers and clocks."""
        told = [self._told(segment) for segment in self.heard]
        self.heard.clear()
        return told

    def _told(self, segment):
        if segment.flags & segments.SYN:
            self.peer_isn = segment.seq
        reset = segment.flags & segments.RST

        def relative(number, base):
            return (number - base + (1 << 31)) % (1 << 32) - (1 << 31)

        # A RST repeats a number of ours, or has none.
        return {
            "flags": segment.flags,
            "seq": relative(segment.seq, self.peer_isn)
                   if segment.seq or not reset else 0,
            "ack": relative(segment.ack, self._isn)
                   if segment.flags & segments.ACK else segment.ack,
            "window": segment.window,
            "options": [kind for kind, _ in segment.options],
            "echo": segment.timestamps and segment.timestamps[1],
            "sack": [(relative(left, self._isn), relative(right, self._isn))
                     for left, right in segment.sack_blocks],
            "payload": segment.length,
            "ttl": segment.ttl,
            "traffic class": segment.traffic_class,
            "dont_fragment": segment.dont_fragment,
            "zero id": segment.ip_id == 0,
            "has flow label": segment.flow_label != 0,
        }
