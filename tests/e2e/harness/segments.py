"""TCP segments of a capture (pcap of Ethernet frames), with the fields that a
firewall, a fingerprint or a test looks at. Numbers are those of the wire."""

import ipaddress
import struct
from dataclasses import dataclass

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10

_MSS, _SCALE, _SACK_PERMITTED, _SACK, _TIMESTAMPS = 2, 3, 4, 5, 8


@dataclass
class Segment:
    """`time` in seconds, `length` of the payload; `options` are (kind, body)
    in the order of the wire, NOP and end included."""

    time: float
    source: tuple  # address, port
    target: tuple
    ttl: int
    ip_id: int  # None for IPv6
    dont_fragment: bool
    traffic_class: int
    flow_label: int
    seq: int
    ack: int
    flags: int
    window: int
    options: list
    length: int
    payload: bytes

    def option(self, kind):
        return next((body for k, body in self.options if k == kind), None)

    @property
    def mss(self):
        body = self.option(_MSS)
        return None if body is None else struct.unpack(">H", body)[0]

    @property
    def scale(self):
        body = self.option(_SCALE)
        return None if body is None else body[0]

    @property
    def sack_permitted(self):
        return self.option(_SACK_PERMITTED) is not None

    @property
    def timestamps(self):
        body = self.option(_TIMESTAMPS)
        return None if body is None else struct.unpack(">II", body)

    @property
    def sack_blocks(self):
        body = self.option(_SACK) or b""
        return [struct.unpack_from(">II", body, at)
                for at in range(0, len(body), 8)]

    @property
    def end(self):
        """Sequence number behind the segment."""
        return (self.seq + self.length + bool(self.flags & SYN) +
                bool(self.flags & FIN)) % (1 << 32)

    def signature(self):
        """window_options_MSS_scale, as a passive observer writes it."""
        kinds = "-".join(str(kind) for kind, _ in self.options)
        return f"{self.window}_{kinds}_{self.mss}_{self.scale}"


def _options(data):
    found, at = [], 0
    while at < len(data):
        kind = data[at]
        if kind in (0, 1):
            found.append((kind, b""))
            at += 1
            if kind == 0:
                break
            continue
        size = data[at + 1] if at + 1 < len(data) else 0
        if size < 2:
            break
        found.append((kind, data[at + 2:at + size]))
        at += size
    return found


def parse(time, frame):
    """The segment in an Ethernet frame, or None for anything else."""
    if len(frame) < 54:
        return None
    (kind,) = struct.unpack_from(">H", frame, 12)
    if kind == 0x0800:
        ip = frame[14:]
        header = (ip[0] & 15) * 4
        total, ip_id, fragment = struct.unpack_from(">HHH", ip, 2)
        if ip[9] != 6:
            return None
        ends = ip[12:16], ip[16:20]
        about = (ip[8], ip_id, bool(fragment & 0x4000), ip[1], 0)
        tcp = ip[header:total]
    elif kind == 0x86dd:
        ip = frame[14:]
        if ip[6] != 6:
            return None
        word, total = struct.unpack_from(">IH", ip)
        ends = ip[8:24], ip[24:40]
        about = (ip[7], None, True, word >> 20 & 0xff, word & 0xfffff)
        tcp = ip[40:40 + total]
    else:
        return None
    sport, dport, seq, ack, offset, flags, window = struct.unpack_from(
        ">HHIIBBH", tcp)
    header = (offset >> 4) * 4
    source, target = (str(ipaddress.ip_address(end)) for end in ends)
    ttl, ip_id, dont_fragment, traffic_class, label = about
    return Segment(time, (source, sport), (target, dport), ttl, ip_id,
                   dont_fragment, traffic_class, label, seq, ack, flags,
                   window, _options(tcp[20:header]), len(tcp) - header,
                   tcp[header:])


def read(path):
    """Every segment of a capture file, in its order."""
    data = path.read_bytes()
    magic, = struct.unpack_from("<I", data)
    assert magic in (0xa1b2c3d4, 0xa1b23c4d), f"{path} is no pcap file"
    unit = 1e-6 if magic == 0xa1b2c3d4 else 1e-9
    at, found = 24, []
    while at + 16 <= len(data):
        seconds, fraction, size, _ = struct.unpack_from("<IIII", data, at)
        segment = parse(seconds + fraction * unit,
                        data[at + 16:at + 16 + size])
        if segment:
            found.append(segment)
        at += 16 + size
    return found


def flows(found, port):
    """The segments of each connection to `port`, by the client's end."""
    by_client = {}
    for segment in found:
        if segment.target[1] == port:
            by_client.setdefault(segment.source, []).append(segment)
        elif segment.source[1] == port:
            by_client.setdefault(segment.target, []).append(segment)
    return by_client
