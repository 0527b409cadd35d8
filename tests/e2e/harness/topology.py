"""hub - router - client(s): each host in a namespace of its own, every leg a
veth pair and a subnet, IPv4 and IPv6."""

import ipaddress

from harness.netns import Namespace


class Host:
    """A namespace with one uplink, eth0."""

    def __init__(self, namespace, number):
        self.namespace = namespace
        self.v4 = f"192.168.{number}.2"
        self.v6 = f"fd00:{number}::2"
        self.gateway_v4 = f"192.168.{number}.1"
        self.gateway_v6 = f"fd00:{number}::1"

    def outer(self, family):
        return self.v4 if family == 4 else self.v6


def plain_leg(namespace, device):
    """Brings a veth end up as what a wire would carry: segmentation, merging
    and checksums by the device are off."""
    namespace.run("ethtool", "-K", device, "tso", "off", "gso", "off", "gro",
                  "off", "tx", "off")
    namespace.run("sysctl", "-qw", f"net.ipv6.conf.{device}.accept_dad=0")
    namespace.ip("link", "set", device, "up")


class Segment:
    """hub and client on one subnet, their wire in a namespace between them:
    its ends are called hub and client, and nothing joins them yet."""

    def __init__(self):
        self.wire = Namespace("wire")
        self.hub = self._host("hub", 2)
        self.client = self._host("client", 3)

    @property
    def namespaces(self):
        return [self.wire, self.hub.namespace, self.client.namespace]

    def delete(self):
        for namespace in self.namespaces:
            namespace.delete()

    def _host(self, label, number):
        host = Host(Namespace(label), 10)
        host.v4, host.v6 = f"192.168.10.{number}", f"fd00:10::{number}"
        namespace = host.namespace
        namespace.ip("link", "add", "eth0", "type", "veth", "peer", "name",
                     label, "netns", self.wire.name)
        plain_leg(namespace, "eth0")
        plain_leg(self.wire, label)
        namespace.ip("address", "add", f"{host.v4}/24", "dev", "eth0")
        namespace.ip("address", "add", f"{host.v6}/64", "dev", "eth0",
                     "nodad")
        return host


class Topology:
    """Routed: every frame between hub and client passes the router's forward
    chain. The router's leg to host X is called X. `leg` brings up an end of a
    wire."""

    def __init__(self, clients=1, leg=plain_leg):
        self._leg = leg
        self._wires = []
        self.router = Namespace("router")
        self.router.sysctl(net__ipv4__ip_forward=1,
                           net__ipv6__conf__all__forwarding=1)
        self.hub = self._host("hub", 10)
        self.clients = [
            self._host(f"c{i}", 20 + i) for i in range(1, clients + 1)
        ]
        self.client = self.clients[0]

    @property
    def hosts(self):
        return [self.hub, *self.clients]

    @property
    def namespaces(self):
        return [self.router, *(host.namespace for host in self.hosts),
                *self._wires]

    def delete(self):
        for namespace in self.namespaces:
            namespace.delete()

    def insert_wire(self, host):
        """Parts a host from the router: its leg and the router's end in a
        namespace between them, as devices host and router that nothing joins
        yet. Addresses and routes are those of before."""
        wire = Namespace("wire")
        self._wires.append(wire)
        label = host.namespace.label
        self.router.ip("link", "delete", label)
        for namespace, device, end in ((host.namespace, "eth0", "host"),
                                       (self.router, label, "router")):
            namespace.ip("link", "add", device, "type", "veth", "peer",
                         "name", end, "netns", wire.name)
            self._leg(wire, end)
        self._connect(host)
        return wire

    def _host(self, label, number):
        host = Host(Namespace(label), number)
        host.namespace.ip("link", "add", "eth0", "type", "veth", "peer",
                          "name", label, "netns", self.router.name)
        self._connect(host)
        return host

    def _connect(self, host):
        label = host.namespace.label
        self._address(host.namespace, "eth0", host.v4, host.v6)
        self._address(self.router, label, host.gateway_v4, host.gateway_v6)
        host.namespace.ip("route", "add", "default", "via", host.gateway_v4)
        host.namespace.ip("route", "add", "default", "via", host.gateway_v6)

    def _address(self, namespace, device, v4, v6):
        namespace.ip("address", "add", f"{v4}/24", "dev", device)
        namespace.ip("address", "add", f"{v6}/64", "dev", device, "nodad")
        self._leg(namespace, device)

    def add_loss(self, per_mille):
        """Drops that share of the forwarded packets, each way."""
        self.router.nft(f"""
            table inet loss {{
              chain forward {{
                type filter hook forward priority 10;
                meta l4proto tcp numgen random mod 1000 < {per_mille} counter drop
              }}
            }}""")

    def narrow(self, mtu, told=True, hosts=None):
        """The router forwards nothing larger to these hosts; ICMP as it is
        meant, or a black hole."""
        for host in hosts or (self.hub, self.client):
            self.router.ip("route", "replace", f"{host.v4}/32", "dev",
                           host.namespace.label, "mtu", "lock", mtu)
            host.namespace.ip("route", "flush", "cache")
        self.router.run("nft", "delete", "table", "inet", "mute", check=False)
        if not told:
            self.router.nft("""
                table inet mute {
                  chain output {
                    type filter hook output priority 0;
                    icmp type destination-unreachable counter drop
                  }
                }""")

    def cut(self):
        """Nothing passes the router until heal()."""
        self.router.nft("table inet cut { chain forward { "
                        "type filter hook forward priority 20; drop; }; }")

    def heal(self):
        self.router.run("nft", "delete", "table", "inet", "cut")


def bracketed(address):
    if ipaddress.ip_address(address).version == 6:
        return f"[{address}]"
    return address
