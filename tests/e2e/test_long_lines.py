"""Lines on which an answer takes seconds, as by way of satellites and full
buffers. Beside the gateways a connection of the kernels' own."""

import socket

from harness.gateway import client_arguments, server_arguments
from harness.variant import Variant
from harness.wait import wait_until

_HUB = "10.0.0.1"
_PORT = 7000  # of the kernel's, which its last words keep for a while


def _know_each_other(link):
    """ARP gives up sooner than its answer comes."""
    ends = link.hub, link.client
    for host, other in (ends, ends[::-1]):
        address = other.namespace.output("cat",
                                         "/sys/class/net/eth0/address").strip()
        host.namespace.ip("neigh", "replace", other.v4, "lladdr", address,
                          "dev", "eth0", "nud", "permanent")


def _kernel_connects(link):
    """And gets an answer."""
    hub, client = link.hub.namespace, link.client.namespace
    with hub.inside(lambda: socket.create_server(("", _PORT))) as server:
        visitor = client.inside(lambda: socket.create_connection(
            (link.hub.v4, _PORT), 30))
        taken = server.accept()[0]
        visitor.sendall(b"word")
        taken.settimeout(30)
        got = taken.recv(4)
        visitor.close()
        taken.close()
    return got


def test_round_trip_of_five_seconds(make_bad_link, start):
    link = make_bad_link(delay_ms=2500)
    _know_each_other(link)
    assert _kernel_connects(link) == b"word"
    hub = start(link.hub.namespace,
                server_arguments("10.0.0.1/24", Variant()), "hub")
    hub.wait_log("ready: ")
    client = start(link.client.namespace,
                   client_arguments(link.hub.v4, "10.0.0.2/24", Variant()),
                   "client")
    client.wait_up(60)
    for _ in range(4):
        wait_until(lambda: link.client.namespace.ping(_HUB, count=1,
                                                      timeout=12), 60,
                   "an answer")
    assert "next attempt" not in client.log()
    assert "another flow" not in client.log()
