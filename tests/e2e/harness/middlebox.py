"""Middleboxes of three kinds: the project's own on a wire, rules of the router,
and a proxy in the router that ends TCP on both sides."""

import json
import pathlib
import signal
import subprocess
import sys

from harness.gateway import BUILD, PORT
from harness.topology import Segment

_RELAY = pathlib.Path(__file__).with_name("relay.py")
_RELAY_PORT = 9100


class BoxedSegment(Segment):
    """hub and client on one subnet, a middlebox between them. `settings` are
    its flags by name: cut=700, modulate=1, loss=1."""

    def __init__(self, **settings):
        super().__init__()
        flags = []
        for name, value in settings.items():
            flags += [f"-{name}", value]
        self._process = self.wire.popen(BUILD / "tests/support/middlebox",
                                        "-a", "hub", "-b", "client", "-port",
                                        PORT, *flags, stdout=subprocess.PIPE,
                                        text=True)
        assert self._process.stdout.readline() == "ready\n"

    def counts(self):
        """What was done to the segments so far, for each direction."""
        self._process.send_signal(signal.SIGUSR1)
        return json.loads(self._process.stdout.readline())

    def delete(self):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
        super().delete()


class Proxy:
    """Takes the client's connections to the hub's port at the router and makes
    them again, with a TCP that offers none of the options but the MSS."""

    def __init__(self, topology, mss):
        router = topology.router
        router.sysctl(net__ipv4__tcp_timestamps=0, net__ipv4__tcp_sack=0,
                      net__ipv4__tcp_window_scaling=0)
        for host in (topology.hub, topology.client):
            router.ip("route", "replace",
                      f"{host.v4.rpartition('.')[0]}.0/24", "dev",
                      host.namespace.label, "src", host.gateway_v4, "advmss",
                      mss)
        router.nft(f"""
            table ip proxy {{
              chain prerouting {{
                type nat hook prerouting priority dstnat;
                iifname {topology.client.namespace.label} tcp dport {PORT} redirect to :{_RELAY_PORT}
              }}
            }}""")
        self._process = router.popen(sys.executable, _RELAY, _RELAY_PORT,
                                     topology.hub.v4, PORT,
                                     stdout=subprocess.PIPE, text=True)
        assert self._process.stdout.readline() == "ready\n"

    def end(self):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


def rewrite_ports(topology):
    """NAT towards the hub: address and port of the client are the router's."""
    topology.router.nft(f"""
        table inet nat {{
          chain postrouting {{
            type nat hook postrouting priority srcnat;
            oifname hub tcp dport {PORT} counter masquerade random
          }}
        }}""")


def lower_mss(topology, mss):
    """Writes another MSS into SYN and SYN-ACK."""
    topology.router.nft(f"""
        table inet mss {{
          chain forward {{
            type filter hook forward priority 0;
            tcp flags syn counter tcp option maxseg size set {mss}
          }}
        }}""")
