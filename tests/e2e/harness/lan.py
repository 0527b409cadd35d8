"""A LAN behind a gateway: a host in a namespace of its own, joined by a veth
pair that is called lan0 on the gateway's side. The gateway's kernel forwards
nothing, and counts what it would have."""

import re
import subprocess

from harness.gateway import BUILD
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
    tcp flags & rst == rst oifname { "lan0", "lwt0", "lwt0-lan" } counter name answered
    icmp type { destination-unreachable, time-exceeded, redirect } oifname { "lan0", "lwt0", "lwt0-lan" } counter name answered
    icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, nd-redirect } oifname { "lan0", "lwt0", "lwt0-lan" } counter name answered
  }
}
"""


class _Site:
    """Networks 10.NUMBER.0.0/24 and fd00:1NUMBER::/64; the gateway is .1, the
    host .2, which has its default routes there."""

    def __init__(self, gateway, number):
        self.gateway = gateway
        self.host = Namespace(f"lan{number}")
        self.v4, self.v6 = f"10.{number}.0.2", f"fd00:1{number}::2"
        self.gateway_v4 = f"10.{number}.0.1"
        self.gateway_v6 = f"fd00:1{number}::1"
        self.networks = f"10.{number}.0.0/24,fd00:1{number}::/64"
        gateway.sysctl(net__ipv4__ip_forward=0,
                       net__ipv6__conf__all__forwarding=0)
        gateway.nft(_COUNTERS)

    def _address(self, namespace, device, v4, v6):
        namespace.run("sysctl", "-qw",
                      f"net.ipv6.conf.{device}.accept_dad=0")
        namespace.ip("address", "add", f"{v4}/24", "dev", device)
        namespace.ip("address", "add", f"{v6}/64", "dev", device, "nodad")
        namespace.ip("link", "set", device, "up")

    def _host_routes(self):
        self.host.ip("route", "add", "default", "via", self.gateway_v4)
        self.host.ip("route", "add", "default", "via", self.gateway_v6)

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


class Lan(_Site):

    def __init__(self, gateway, number):
        super().__init__(gateway, number)
        self.device = "lan0"
        gateway.ip("link", "add", "lan0", "type", "veth", "peer", "name",
                   "eth0", "netns", self.host.name)
        self._address(gateway, "lan0", self.gateway_v4, self.gateway_v6)
        self._address(self.host, "eth0", self.v4, self.v6)
        self._host_routes()

    def arguments(self):
        return ["-lan-port", "lan0"]


class MemifLan(_Site):
    """The host's only link is the memif of its gateway."""

    def __init__(self, gateway, number, folder):
        super().__init__(gateway, number)
        self.device = "lwt0-lan"
        self.socket = folder / f"lan{number}.sock"
        self._bridge = None

    def arguments(self):
        return [
            "-lan-port", f"memif:{self.socket}", "-lan-addr",
            f"{self.gateway_v4}/24,{self.gateway_v6}/64"
        ]

    def connect(self):
        """Once the gateway serves the socket."""
        self._bridge = self.host.popen(
            BUILD / "tests/support/memif_host", self.socket, "eth0",
            stdout=subprocess.PIPE, text=True)
        assert self._bridge.stdout.readline() == "ready\n"
        # The same each time, as a card has it.
        self.host.ip("link", "set", "eth0", "address", "02:00:00:00:66:02")
        self._address(self.host, "eth0", self.v4, self.v6)
        self._host_routes()

    def disconnect(self):
        if self._bridge is None:
            return
        self._bridge.kill()
        self._bridge.wait()
        self._bridge.stdout.close()
        self._bridge = None

    def delete(self):
        self.disconnect()
        super().delete()
