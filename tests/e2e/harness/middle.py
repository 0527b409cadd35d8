"""A wire with a program in it: hub and client share a subnet, and every frame
between them passes a function of the test."""

import select
import socket
import threading

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from harness.gateway import PORT
from harness.topology import Segment

_SOL_PACKET = 263
_IGNORE_OUTGOING = 23  # PACKET_IGNORE_OUTGOING of packet(7)


class Middle(Segment):
    """`transform(frame, to_hub)` returns the frames to send on instead. It is
    called in a thread of the middle, with TCP to or from the hub's port as
    scapy frames; all else passes as it is."""

    def __init__(self):
        super().__init__()
        self.transform = None
        self._legs = []
        for label in ("hub", "client"):
            leg = self.wire.packet_socket(label)
            leg.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
            self._legs.append(leg)
        self._stop, self._stopped = socket.socketpair()
        self._thread = threading.Thread(target=self._forward, daemon=True)
        self._thread.start()

    def delete(self):
        self._stop.close()
        self._thread.join()
        for leg in self._legs:
            leg.close()
        self._stopped.close()
        super().delete()

    def send_to_hub(self, frame):
        self._legs[0].send(bytes(frame))

    def _forward(self):
        hub_leg, client_leg = self._legs
        while True:
            ready, _, _ = select.select([*self._legs, self._stopped], [], [])
            if self._stopped in ready:
                return
            for leg in ready:
                out = hub_leg if leg is client_leg else client_leg
                for frame in self._passed(leg.recv(65536), out is hub_leg):
                    out.send(bytes(frame))

    def _passed(self, octets, to_hub):
        transform = self.transform
        if transform is None or octets[12:14] != b"\x08\x00":
            return [octets]
        frame = Ether(octets)
        if not frame.haslayer(TCP) or PORT not in (frame[TCP].sport,
                                                   frame[TCP].dport):
            return [octets]
        return transform(frame, to_hub)


def payload(frame):
    """The TCP payload, without what pads a short frame."""
    ip = frame[IP]
    header = ip.ihl * 4 + frame[TCP].dataofs * 4
    return bytes(ip)[header:ip.len]


def with_payload(frame, octets, seq=None, fix=True):
    """The frame with another payload; its checksums made good if `fix`."""
    copy = Ether(bytes(frame))
    tcp = copy[TCP]
    checksum = tcp.chksum
    tcp.remove_payload()
    if seq is not None:
        tcp.seq = seq % (1 << 32)
    del copy[IP].len, copy[IP].chksum, tcp.chksum
    if not fix:
        tcp.chksum = checksum
    return copy / octets
