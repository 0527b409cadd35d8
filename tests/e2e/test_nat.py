"""What a client finds out of the NAT in front of it, from the kernel's own, and
who is answered."""

import re

import pytest

from harness.gateway import PORT
from harness.pair import Pair, reload
from harness.wait import wait_until

# What was asked for may come in: replies, and what a rule leads inside. The
# rest would else be the router's own, and take a port from the hosts inside.
_CLOSED = """
    chain input {
      type filter hook input priority 0;
      iifname hub meta l4proto udp drop
    }"""
_SNAT = """
    chain postrouting {{
      type nat hook postrouting priority srcnat;
      oifname hub ip saddr {inside} meta l4proto udp {how}
    }}"""
# Which host inside has which port outside, as long as it is in use.
_OWNERS = """
    map owners {{
      type inet_service : ipv4_addr; flags dynamic,timeout; timeout 60s
      size 1000
    }}
    set spoken {{
      type inet_service . ipv4_addr; flags dynamic,timeout; timeout 60s
      size 1000
    }}
    chain forward {{
      type filter hook forward priority 0;
      iifname {leg} udp sport != 0 update @owners {{ udp sport : ip saddr }}
      iifname {leg} udp sport != 0 update @spoken {{ udp sport . ip daddr }}
    }}
    chain prerouting {{
      type nat hook prerouting priority dstnat;
      iifname hub {which} dnat ip to udp dport map @owners
    }}"""
_FIREWALL = """
    chain forward {
      type filter hook forward priority 0;
      iifname hub meta l4proto udp ct state new drop
    }"""


def _rules(kind, topology):
    inside = topology.client.v4
    outside = topology.hub.gateway_v4
    same = _SNAT.format(inside=inside, how="masquerade")
    leg = "c1"
    return {
        "none": "",
        "firewall": _FIREWALL,
        "full cone": same + _OWNERS.format(leg=leg, which="meta l4proto udp"),
        "restricted cone": same + _OWNERS.format(
            leg=leg, which="udp dport . ip saddr @spoken"),
        "port-restricted cone": same + _CLOSED,
        "symmetric": _CLOSED + _SNAT.format(
            inside=inside, how="masquerade fully-random"),
        "address-dependent": _CLOSED + _SNAT.format(
            inside=inside, how=f"snat to {outside} : jhash ip daddr . udp sport "
            "mod 40000 seed 0x5eed offset 20000"),
    }[kind]


_DEPENDENCE = {
    "none": ("endpoint-independent", "endpoint-independent"),
    "firewall": ("endpoint-independent", "address-and-port-dependent"),
    "full cone": ("endpoint-independent", "endpoint-independent"),
    "restricted cone": ("endpoint-independent", "address-dependent"),
    "port-restricted cone": ("endpoint-independent",
                             "address-and-port-dependent"),
    "symmetric": ("address-and-port-dependent", "address-and-port-dependent"),
    "address-dependent": ("address-dependent", "address-and-port-dependent"),
}


def _second_address(topology):
    second = re.sub(r"\d+$", "3", topology.hub.v4)
    topology.hub.namespace.ip("address", "add", f"{second}/24", "dev", "eth0")
    return second


def _ask_again(pair, kind, topology):
    pair.client_file.write(enable_nat_detection="false")
    reload(pair.client)
    topology.router.run("conntrack", "-F")
    topology.router.nft("table ip nat_type\ndelete table ip nat_type\n"
                        f"table ip nat_type {{ {_rules(kind, topology)}\n}}\n")
    pair.client_file.write(enable_nat_detection="true")
    reload(pair.client)
    return wait_until(lambda: pair.client.status().get("nat"), 20,
                      f"a verdict on {kind}")


def test_each_kind_of_nat_is_known(topology, start, folder):
    second = _second_address(topology)
    pair = Pair(topology, start, folder, hub={
        "local_addr": f'["{topology.hub.v4}:{PORT}", "{second}:{PORT}"]'})
    for kind, dependence in _DEPENDENCE.items():
        nat = _ask_again(pair, kind, topology)
        assert (nat["mapping"], nat["filtering"]) == dependence, (kind, nat)
        assert nat["name"] == {"address-dependent": "symmetric"}.get(kind, kind)
        outside = (topology.client.v4 if kind in ("none", "firewall")
                   else topology.hub.gateway_v4)
        assert nat["outside"].startswith(f"{outside}:"), nat
    assert re.search("NAT +symmetric: mapping address-dependent",
                     pair.client.lwtctl("status").stdout)
    assert len(re.findall("NAT: ", pair.client.log())) == len(_DEPENDENCE)


# A stranger's bare request, and whether an answer to it comes within a second.
_ASK = """
import socket, sys
asked = bytes.fromhex("000100002112a442") + bytes(range(12))
asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asking.settimeout(1)
asking.sendto(asked, (sys.argv[1], int(sys.argv[2])))
try:
    print(asking.recv(2000)[8:20] == asked[8:])
except OSError:
    print(False)
"""


def _is_answered(namespace, address):
    return namespace.run("/usr/bin/python3", "-c", _ASK, address,
                         PORT).stdout == "True\n"


@pytest.mark.parametrize("stun", ["off", "clients", "open"])
def test_who_is_answered(topology, start, folder, stun):
    pair = Pair(topology, start, folder, hub={"stun": f'"{stun}"'},
                client={"enable_nat_detection": "true"})
    nat = wait_until(lambda: pair.client.status().get("nat"), 20, "a verdict")
    assert nat["name"] == ("unknown" if stun == "off" else "none"), nat
    outside = topology.client.namespace
    assert _is_answered(outside, topology.hub.v4) == (stun == "open")
    if stun == "open":
        # The control: somebody else's client.
        text = outside.run("turnutils_stunclient", "-p", PORT,
                           topology.hub.v4).stdout
        assert f"UDP reflexive addr: {topology.client.v4}:" in text


def test_a_stock_client_agrees_on_the_nat(topology, start, folder):
    second = _second_address(topology)
    pair = Pair(topology, start, folder, hub={
        "stun": '"open"',
        "local_addr": f'["{topology.hub.v4}:{PORT}", "{second}:{PORT}"]'})
    nat = _ask_again(pair, "symmetric", topology)
    assert nat["name"] == "symmetric"
    text = topology.client.namespace.run(
        "turnutils_natdiscovery", "-m", "-f", "-p", PORT, topology.hub.v4,
        check=False).stdout
    for words in ("Address and Port Dependent Mapping",
                  "Address and Port Dependent Filtering"):
        assert words in text, text
