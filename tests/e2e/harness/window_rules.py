"""The window tracking of Linux' conntrack as it was until 5.16, replayed over
a capture: stricter than today's, which forgives what it cannot explain.

The four bounds are those of G. van Rooij, "Real Stateful TCP Packet Filtering
in IP Filter" (2001), which the kernel's documentation names as its source.
"""

from harness.segments import ACK, FIN, RST, SYN

_LEAST_ACK_WINDOW = 66000
OLD_ACK = "acknowledges long gone bytes"


def _after(a, b):
    """a is later than b, modulo 2^32 (RFC 1982)."""
    return 0 < (a - b) % (1 << 32) < 1 << 31


class _Side:

    def __init__(self):
        self.end = None  # highest sequence number sent, as seen
        self.max_end = 0  # what the other side permits
        self.max_window = 1
        self.scale = 0
        self.offers_scale = False
        self.sack = False

    def begin(self, segment):
        self.end = self.max_end = segment.end
        self.max_window = max(segment.window, 1)
        self.offers_scale = segment.scale is not None
        self.scale = min(segment.scale or 0, 14)
        self.sack = segment.sack_permitted


class WindowRules:
    """One connection. judge() says what is wrong with the next segment."""

    def __init__(self):
        self._sides = {}

    def judge(self, segment):
        """None, or the bound that the segment breaks."""
        if segment.flags & SYN:
            return self._syn(segment)
        sender = self._sides.get(segment.source)
        receiver = self._sides.get(segment.target)
        if sender is None or receiver is None:
            refusal = segment.flags == RST | ACK and receiver is not None
            return None if refusal else "a segment before the handshake"
        window = segment.window << sender.scale
        ack = segment.ack if segment.flags & ACK else receiver.end
        highest = ack
        if receiver.sack:
            for _, right in segment.sack_blocks:
                if _after(right, highest):
                    highest = right
        broken = self._bounds(segment, sender, receiver, highest)
        if broken:
            return broken
        sender.max_window = max(sender.max_window,
                                window + (highest - ack) % (1 << 32))
        if _after(segment.end, sender.end):
            sender.end = segment.end
        right = (highest + max(window, 1)) % (1 << 32)
        if _after(right, receiver.max_end):
            receiver.max_end = right
        return None

    def _syn(self, segment):
        self._sides.setdefault(segment.source, _Side()).begin(segment)
        sides = list(self._sides.values())
        if len(sides) == 2 and not all(side.offers_scale for side in sides):
            for side in sides:
                side.scale = 0
        if segment.flags & ACK and segment.target in self._sides:
            other = self._sides[segment.target]
            if segment.ack != other.end:
                return "a SYN-ACK for another SYN"
            right = (segment.ack + max(segment.window, 1)) % (1 << 32)
            other.max_end = right
        elif segment.ack:
            return "a SYN with an ACK field"
        return None

    @staticmethod
    def _bounds(segment, sender, receiver, highest):
        if _after(segment.seq, sender.max_end):
            return "beyond the window that was offered"
        if not _after(segment.end, sender.end - receiver.max_window - 1):
            return "older than a window"
        if _after(highest, receiver.end):
            return "acknowledges what was not sent"
        most = max(sender.max_window, _LEAST_ACK_WINDOW)
        if not _after(highest, receiver.end - most - 1):
            return OLD_ACK
        if segment.flags & (FIN | ACK | RST) == 0:
            return "without an ACK"
        return None


def violations(found):
    """(segment, what is wrong) for each that a strict firewall would drop. A
    SYN with a new number begins a connection again."""
    connections, broken = {}, []
    for segment in found:
        ends = frozenset((segment.source, segment.target))
        if segment.flags & (SYN | ACK) == SYN:
            isn = (segment.source, segment.seq)
            if connections.get(ends, (None, None))[0] != isn:
                connections[ends] = isn, WindowRules()
        if ends not in connections:
            broken.append((segment, "a segment of no connection"))
            continue
        what = connections[ends][1].judge(segment)
        if what:
            broken.append((segment, what))
    return broken
