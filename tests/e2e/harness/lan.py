"""A LAN behind a gateway: a host in a namespace of its own, joined by a veth
pair that is called lan0 on the gateway's side. The gateway's kernel forwards
nothing, and counts what it would have."""

import re

from harness.netns import Namespace

# Counts what the kernel gets to forward, and what it answers with a RST or an
# ICMP error.
_COUNTERS = """
table inet seen {
  counter forwarded {}
  counter answered {}
  chain forward {
    type filter hook forward priority -300;
    counter name forwarded
  }
  chain output {
    type filter hook output priority 0;
    tcp flags & rst == rst oifname { "lan0", "lwt0" } counter name answered
    icmp type { destination-unreachable, time-exceeded, redirect } oifname { "lan0", "lwt0" } counter name answered
    icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, nd-redirect } oifname { "lan0", "lwt0" } counter name answered
  }
}
"""


class Lan:
    """Networks 10.NUMBER.0.0/24 and fd00:NUMBER::/64; the gateway is .1, the
    host .2, which has its default routes there."""

    def __init__(self, gateway, number):
        self.gateway = gateway
        self.host = Namespace(f"lan{number}")
        self.v4, self.v6 = f"10.{number}.0.2", f"fd00:1{number}::2"
        self.gateway_v4 = f"10.{number}.0.1"
        self.gateway_v6 = f"fd00:1{number}::1"
        self.networks = f"10.{number}.0.0/24,fd00:1{number}::/64"
        gateway.ip("link", "add", "lan0", "type", "veth", "peer", "name",
                   "eth0", "netns", self.host.name)
        for namespace, device, v4, v6 in (
                (gateway, "lan0", self.gateway_v4, self.gateway_v6),
                (self.host, "eth0", self.v4, self.v6)):
            namespace.ip("address", "add", f"{v4}/24", "dev", device)
            namespace.ip("address", "add", f"{v6}/64", "dev", device, "nodad")
            namespace.ip("link", "set", device, "up")
        self.host.ip("route", "add", "default", "via", self.gateway_v4)
        self.host.ip("route", "add", "default", "via", self.gateway_v6)
        gateway.sysctl(net__ipv4__ip_forward=0,
                       net__ipv6__conf__all__forwarding=0)
        gateway.nft(_COUNTERS)

    def delete(self):
        self.host.delete()

    def address(self, family):
        return self.v4 if family == 4 else self.v6

    def seen_by_kernel(self):
        """Packets that the gateway's kernel was to forward or answered."""
        text = self.gateway.output("nft", "list", "counters", "table", "inet",
                                   "seen")
        counts = [int(count) for count in re.findall(r"packets (\d+)", text)]
        assert len(counts) == 2, text
        return sum(counts)
