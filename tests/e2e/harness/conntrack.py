"""A strict stateful firewall at the router, and frames that must upset it."""

import re
import subprocess

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from harness.wait import wait_until

_WATCH = """
table inet watch {
  chain forward {
    type filter hook forward priority 0;
    ct state invalid counter
  }
}
"""


def watch(router):
    """From now on each packet that conntrack calls INVALID is counted."""
    router.nft(_WATCH)
    router.sysctl(net__netfilter__nf_conntrack_tcp_be_liberal=0,
                  net__netfilter__nf_conntrack_tcp_loose=0)


def counted(router, table):
    text = router.output("nft", "list", "table", "inet", table)
    return int(re.search(r"counter packets (\d+)", text).group(1))


def invalid(router):
    return counted(router, "watch")


def entries(router, port):
    """The lines of the connection table about TCP to `port`."""
    text = router.run("conntrack", "-L", "-p", "tcp", "--dport", port,
                      stderr=subprocess.DEVNULL).stdout
    return [line for line in text.splitlines() if line.startswith("tcp")]


def _link_addresses(topology):
    """MAC of the client's uplink and of the router's leg to it."""
    client = topology.client.namespace.output("cat",
                                              "/sys/class/net/eth0/address")
    router = topology.router.output(
        "cat", f"/sys/class/net/{topology.client.namespace.label}/address")
    return client.strip(), router.strip()


def inject(topology, packets):
    """Sends IP packets from the client's uplink, by way of the router."""
    source, target = _link_addresses(topology)
    packet_socket = topology.client.namespace.packet_socket("eth0")
    with packet_socket:
        for packet in packets:
            packet_socket.send(bytes(Ether(src=source, dst=target) / packet))


def send_segments(topology, count, port=7):
    """TCP segments that belong to nothing; returns their number."""
    base = IP(src=topology.client.v4, dst=topology.hub.v4)
    inject(topology, [base / TCP(sport=1024 + i, dport=port, flags="S")
                      for i in range(count)])
    return count


def send_bad_checksum(topology):
    packet = IP(src=topology.client.v4, dst=topology.hub.v4) / TCP(
        sport=999, dport=7, flags="S", chksum=0x1234)
    inject(topology, [packet])


def last_segment(topology, port, timeout=5):
    """The next TCP segment to `port` that comes from the client."""
    with topology.router.packet_socket(topology.client.namespace.label) as leg:
        leg.settimeout(timeout)
        while True:
            frame = Ether(leg.recv(65536))
            if frame.haslayer(TCP) and frame[TCP].dport == port:
                return frame


def prove_invalid_is_counted(topology, port):
    """Forges a segment far to the right of the window of a flow to `port`,
    on which something is being sent."""
    real = last_segment(topology, port)
    before = invalid(topology.router)
    tcp = real[TCP]
    forged = TCP(sport=tcp.sport, dport=port, flags="PA", window=tcp.window,
                 seq=(tcp.seq + (1 << 29)) % (1 << 32), ack=tcp.ack)
    inject(topology, [IP(src=topology.client.v4, dst=topology.hub.v4) /
                      forged / b"forged"])
    wait_until(lambda: invalid(topology.router) > before, 2,
               "the forged segment is counted as INVALID")
