"""Multicast and broadcasts inside the tunnel, with `multicast = "hub"`: what one
says to a group or to all, all others hear, and only once."""

import json
import subprocess
import sys

import pytest
from harness.gateway import client_arguments, server_arguments
from harness.variant import Variant

_LISTEN = """
import json, socket, struct, sys
group, device = sys.argv[1:3]
v6 = ":" in group
s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
s.bind(("", 5353))
index = socket.if_nametoindex(device)
if v6:
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                 socket.inet_pton(socket.AF_INET6, group) +
                 struct.pack("@I", index))
elif group.startswith("224."):
    s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                 struct.pack("4s4si", socket.inet_aton(group), b"\\0" * 4,
                             index))
print("ready", flush=True)
print(json.dumps([s.recv(100).decode()]), flush=True)
"""

_SAY = """
import socket, sys
group, device, word = sys.argv[1:4]
v6 = ":" in group
s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
s.sendto(word.encode(), (group, 5353))
"""

_GROUPS = ["224.0.0.251", "255.255.255.255", "10.0.0.255", "ff02::fb"]


@pytest.fixture(params=[1, 2], ids=["1worker", "2workers"])
def network(request, make_topology, start):
    """A hub and two clients: namespaces, gateways."""
    topology = make_topology(clients=2)
    variant = Variant(workers=request.param)
    sides = [start(topology.hub.namespace, [
        *server_arguments("10.0.0.1/24,fd00:9::1/64", variant),
        "-multicast", "hub"], "hub")]
    for i, host in enumerate(topology.clients):
        sides.append(start(host.namespace, [
            *client_arguments(topology.hub.v4,
                              f"10.0.0.{i + 2}/24,fd00:9::{i + 2}/64",
                              variant), "-multicast", "hub"], f"client{i}"))
        sides[-1].wait_up()
    sides[0].wait_up(peers=2)
    return [host.namespace for host in topology.hosts], sides


class _Listener:

    def __init__(self, namespace, group):
        self._process = namespace.popen(sys.executable, "-c", _LISTEN, group,
                                        "lwt0", stdout=subprocess.PIPE,
                                        text=True)
        assert self._process.stdout.readline() == "ready\n"

    def heard(self):
        text, _ = self._process.communicate(timeout=10)
        return json.loads(text)[0]

    def end(self):
        self._process.kill()
        self._process.wait()


@pytest.mark.parametrize("group", _GROUPS)
def test_what_one_says_all_others_hear(network, group):
    namespaces, sides = network
    for speaker, namespace in enumerate(namespaces):
        others = [other for other in namespaces if other is not namespace]
        listeners = [_Listener(other, group) for other in others]
        word = f"word of {speaker}"
        try:
            namespace.run(sys.executable, "-c", _SAY, group, "lwt0", word)
            assert [one.heard() for one in listeners] == [word, word]
        finally:
            for listener in listeners:
                listener.end()
    assert sides[0].counters()["multicast_copies"] >= 4
    assert sides[0].drops()["multicast_limit"] == 0
