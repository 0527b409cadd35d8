"""Boxes on the way that answer for others, or that forget."""

import threading

from scapy.layers.inet import TCP

from harness.gateway import PORT
from harness.middle import payload, with_payload

_ACK = 0x10


def syn_proxy(topology):
    """The router answers the SYNs to the hub's port itself, with a window of
    nothing, and asks the hub once the client has answered: the kernel's
    SYNPROXY, as providers have it against floods."""
    topology.router.sysctl(net__netfilter__nf_conntrack_tcp_loose=0)
    topology.router.nft(f"""
        table ip shield {{
          chain prerouting {{
            type filter hook prerouting priority raw;
            tcp dport {PORT} tcp flags syn notrack
          }}
          chain forward {{
            type filter hook forward priority 0;
            tcp dport {PORT} ct state invalid,untracked counter synproxy mss 1460 wscale 7 timestamp sack-perm
            ct state invalid counter drop
          }}
        }}""")


class ClosedWindow:
    """On a Middle: the client's window is nothing until open() says otherwise,
    as of a proxy that has not found its other side yet."""

    def __init__(self, middle):
        self._middle = middle
        self._lock = threading.Lock()
        self._closed = True
        self._last = None
        self.asked = 0  # ACKs without payload that the hub sent meanwhile
        self.said = 0  # bytes that the client sent
        middle.transform = self._pass

    def open(self):
        with self._lock:
            self._closed = False
            self._middle.send_to_hub(self._last)

    def _pass(self, frame, to_hub):
        with self._lock:
            if not self._closed:
                return [frame]
            size = len(payload(frame))
            if not to_hub:
                self.asked += size == 0 and frame[TCP].flags == _ACK
                return [frame]
            self.said += size
            closed = with_payload(frame, payload(frame))
            closed[TCP].window = 0
            del closed[TCP].chksum
            if frame[TCP].flags & _ACK:
                self._last = with_payload(
                    frame, b"", seq=frame[TCP].seq + size)
            return [closed]


class NatOfOnePort:
    """At the router: whoever connects to the hub's port leaves by the same
    address and port, one at a time. What comes to it for nobody is lost."""

    _PORT = 40000

    def __init__(self, topology):
        self._router = topology.router
        self._router.nft(f"""
            table ip nat_of_one {{
              chain postrouting {{
                type nat hook postrouting priority srcnat;
                oifname hub tcp dport {PORT} masquerade to :{self._PORT}
              }}
              chain input {{
                type filter hook input priority 0;
                iifname hub tcp dport {self._PORT} drop
              }}
            }}""")

    def forget(self):
        """As after a reboot, or a while in which nothing passed."""
        self._router.run("conntrack", "-F")


def police(topology, mbit):
    """The router drops what comes faster, either way, and queues nothing."""
    topology.router.nft(f"""
        table inet police {{
          chain forward {{
            type filter hook forward priority 0;
            limit rate over {mbit * 125} kbytes/second burst 32 kbytes counter drop
          }}
        }}""")


def clear_df(topology, mtu):
    """The router takes DF away and cuts what is longer than it forwards."""
    for host in (topology.hub, topology.client):
        topology.router.ip("route", "replace", f"{host.v4}/32", "dev",
                           host.namespace.label, "mtu", "lock", mtu)
    topology.router.nft("""
        table ip cut {
          chain prerouting {
            type filter hook prerouting priority -500;
            tcp dport 0-65535 counter ip frag-off set 0
          }
        }""")


def shape_windows(topology, field):
    """No segment of either side offers more than that in its window field,
    whatever scale it has."""
    topology.router.nft(f"""
        table inet shape {{
          chain forward {{
            type filter hook forward priority 0;
            tcp flags & (syn|rst) == 0 tcp window > {field} counter tcp window set {field}
          }}
        }}""")
