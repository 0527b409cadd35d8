"""A NAT that reboots under a client that is idle: what the client then sends has
an answer within seconds, however the NAT takes segments of flows it does not
know; and so has what is sent to it, where the client sees its router come back."""

import re
import time

import pytest
from harness.gateway import PORT
from harness.variant import Variant

_HUB, _CLIENT = "10.0.0.1", "10.0.0.2"
# From the first packet that a host sends.
_WITHIN_S = 5
_NATS = {
    # What it does not know it drops, either way.
    "strict": """
        chain forward {
          type filter hook forward priority 0;
          ct state invalid counter drop
        }
        chain input {
          type filter hook input priority 0;
          iifname hub tcp sport 9000 drop
        }""",
    # What it does not know it gives a place as it comes.
    "loose": "",
}


def _nat(topology, kind):
    topology.router.sysctl(
        net__netfilter__nf_conntrack_tcp_loose=int(kind == "loose"))
    topology.router.nft(f"""
        table ip forgetful {{
          chain postrouting {{
            type nat hook postrouting priority srcnat;
            oifname hub tcp dport {PORT} masquerade random
          }}
          {_NATS[kind]}
        }}""")


def _until_answered(namespace, address):
    """Seconds until the first answer, asking ten times a second."""
    began = time.time()
    text = namespace.run("ping", "-n", "-D", "-i", "0.1", "-w", 40, "-c", 400,
                         address, check=False).stdout
    found = re.search(r"\[(\d+\.\d+)\] 64 bytes", text)
    assert found, text[-500:]
    return float(found.group(1)) - began


@pytest.mark.alone
@pytest.mark.parametrize("kind", _NATS)
def test_idle_client_is_back_soon_once_it_speaks(topology, start, kind):
    _nat(topology, kind)
    start.pair(topology, Variant())
    client = topology.client.namespace
    assert client.ping(_HUB) == 3
    topology.router.run("conntrack", "-F")
    assert _until_answered(client, _HUB) < _WITHIN_S


@pytest.mark.alone
def test_idle_client_is_there_once_its_router_is_back(topology, start):
    """It says nothing itself, and sees the carrier that its link has again."""
    _nat(topology, "strict")
    _, gateway = start.pair(topology, Variant())
    leg = topology.client.namespace.label
    topology.router.ip("link", "set", leg, "down")
    gateway.wait_log("the next hop to .* does not answer")
    topology.router.run("conntrack", "-F")
    topology.router.ip("link", "set", leg, "up")
    topology.router.ip("-6", "address", "replace",
                       f"{topology.client.gateway_v6}/64", "dev", leg,
                       "nodad")
    assert _until_answered(topology.hub.namespace, _CLIENT) < _WITHIN_S
    assert "answers again" in gateway.log()
