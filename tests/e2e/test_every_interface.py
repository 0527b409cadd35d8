"""A hub is reached by each interface of its host, as a kernel's listener on
0.0.0.0 is, which stands beside it in each test."""

import contextlib
import re
import socket
import threading

import pytest

from harness.gateway import (DAEMON, PORT, client_arguments,
                             server_arguments)
from harness.netns import Namespace
from harness.steady import Pings
from harness.topology import plain_leg
from harness.variant import Variant
from harness.wait import wait_until

# A port of the hub's kernel.
_KERNEL = 7777
_PLAIN = Variant("af_packet")


@contextlib.contextmanager
def _kernel_listens(namespace):
    """On every address of both families, like other servers."""
    listener = namespace.inside(lambda: socket.create_server(
        ("::", _KERNEL), family=socket.AF_INET6, dualstack_ipv6=True,
        backlog=64))

    def serve():
        with contextlib.suppress(OSError):
            while True:
                listener.accept()[0].close()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _kernel_answers(namespace, address):
    def connect():
        try:
            socket.create_connection((address, _KERNEL), 5).close()
            return True
        except OSError:
            return False

    return namespace.inside(connect)


def _sent(namespace, device):
    """Frames that left by a device, ever."""
    return int(namespace.output(
        "cat", f"/sys/class/net/{device}/statistics/tx_packets"))


class _SecondLine:
    """eth1 of the hub's host, on the router; the default route is eth0's."""
    v4, gateway_v4 = "192.168.31.2", "192.168.31.1"

    def __init__(self, topology):
        self.hub, self.router = topology.hub.namespace, topology.router
        self.plug()

    def plug(self):
        self.hub.ip("link", "add", "eth1", "type", "veth", "peer", "name",
                    "second", "netns", self.router.name)
        self.hub.ip("address", "add", f"{self.v4}/24", "dev", "eth1")
        self.router.ip("address", "add", f"{self.gateway_v4}/24", "dev",
                       "second")
        plain_leg(self.hub, "eth1")
        plain_leg(self.router, "second")
        # What comes by the one may belong to the other.
        self.hub.sysctl(net__ipv4__conf__eth1__rp_filter=2,
                        net__ipv4__conf__eth0__rp_filter=2,
                        net__ipv4__conf__all__rp_filter=0)

    def unplug(self):
        self.hub.ip("link", "delete", "eth1")


def _join(start, namespace, remote, tunnel, label, *flags):
    """A client that is up, and whose records go to and fro."""
    client = start(namespace,
                   [*client_arguments(remote, tunnel, _PLAIN), *flags], label)
    client.wait_up(20)
    return client


def _only_way(hub, line, other, action):
    """What the action makes the hub send leaves by `line`, except for a few
    words of the kernel such as ARP."""
    before = _sent(hub, line), _sent(hub, other)
    action()
    by_line, by_other = (_sent(hub, line) - before[0],
                         _sent(hub, other) - before[1])
    assert by_line >= 20 and by_other < 10, (by_line, by_other)


def test_answers_leave_by_where_their_question_came(make_topology, start):
    """By either line to its own address, and by the second to that of the
    first: the way in is not the way that the hub's routes lead out."""
    topology = make_topology(clients=3)
    line = _SecondLine(topology)
    start(line.hub, server_arguments("10.0.0.1/24", _PLAIN), "hub")
    first, second, third = (host.namespace for host in topology.clients)
    with _kernel_listens(line.hub):
        for address in (topology.hub.v4, line.v4):
            assert _kernel_answers(first, address)
        _join(start, first, topology.hub.v4, "10.0.0.2/24", "first")
        _join(start, second, line.v4, "10.0.0.3/24", "second")
        for client, by, other in ((first, "eth0", "eth1"),
                                  (second, "eth1", "eth0")):
            _only_way(line.hub, by, other, lambda who=client: who.ping_burst(
                "10.0.0.1", 20, 0.02))
        topology.router.ip("route", "add", f"{topology.hub.v4}/32", "via",
                           line.v4)
        assert _kernel_answers(third, topology.hub.v4)
        _join(start, third, topology.hub.v4, "10.0.0.4/24", "third")
        _only_way(line.hub, "eth1", "eth0",
                  lambda: third.ping_burst("10.0.0.1", 20, 0.02))
        # The hub carries packets from one line to the other.
        assert first.ping("10.0.0.3") == 3


@pytest.mark.alone
def test_a_router_of_the_second_line_is_replaced(topology, start):
    """Another one takes its address over, with a link address of its own. The
    host's way back by that line is by its source, as of two providers."""
    line = _SecondLine(topology)
    hub = line.hub
    hub.ip("route", "add", "default", "via", line.gateway_v4, "table", "31")
    hub.ip("rule", "add", "from", line.v4, "lookup", "31")
    gateway = start(hub, server_arguments("10.0.0.1/24", _PLAIN), "hub")
    client = topology.client.namespace
    _join(start, client, line.v4, "10.0.0.2/24", "client")
    endpoint = gateway.status()["peers"][0]["endpoint"]
    inside, beside = Pings(client, "10.0.0.1"), Pings(client, line.v4)
    topology.router.ip("link", "set", "second", "address",
                       "02:00:00:00:31:99")
    # It has its neighbours to ask again, and so tells them its address.
    wait_until(lambda: "02:00:00:00:31:99" in hub.output(
        "ip", "neighbour", "show", line.gateway_v4), 10, "the new router")
    wait_until(lambda: client.ping("10.0.0.1", 1, timeout=1), 10, "traffic")
    inside_s, beside_s = inside.end(), beside.end()
    assert inside_s <= beside_s + 1.2, (inside_s, beside_s)
    assert gateway.status()["peers"][0]["endpoint"] == endpoint, \
        "the flow is another one"


def test_interfaces_come_and_go_under_way(topology, start):
    hub = start(topology.hub.namespace, server_arguments("10.0.0.1/24", _PLAIN),
                "hub")
    client = topology.client.namespace
    hub.wait_status(lambda status: status["uplink"]["up"], 15, "start")
    line = _SecondLine(topology)
    with _kernel_listens(line.hub):
        for _ in range(2):
            wait_until(lambda: _kernel_answers(client, line.v4), 10,
                       "the kernel by the second line")
            gateway = _join(start, client, line.v4, "10.0.0.2/24", "client")
            assert client.ping("10.0.0.1") == 3
            assert gateway.stop() == 0
            line.unplug()
            hub.wait_status(
                lambda status: "eth1" not in status["uplink"]["reason"], 10,
                "left alone")
            line.plug()
        assert "no uplink" not in hub.log()


def test_client_on_the_hubs_host_and_in_a_container(topology, start):
    """One in a namespace behind a bridge, one beside the hub itself."""
    host = topology.hub.namespace
    box = Namespace("box")
    try:
        host.ip("link", "add", "br0", "type", "bridge")
        host.ip("link", "set", "br0", "up")
        host.ip("address", "add", "10.88.0.1/24", "dev", "br0")
        host.ip("link", "add", "box", "type", "veth", "peer", "name", "eth0",
                "netns", box.name)
        host.ip("link", "set", "box", "master", "br0", "up")
        box.ip("address", "add", "10.88.0.2/24", "dev", "eth0")
        box.ip("link", "set", "eth0", "up")
        box.ip("route", "add", "default", "via", "10.88.0.1")
        hub = start(host, server_arguments("10.0.0.1/24", _PLAIN), "hub")
        status = hub.wait_status(lambda status: status["uplink"]["up"], 15,
                                 "start")
        assert "br0" in status["uplink"]["reason"]
        assert "box" not in status["uplink"]["reason"], "the bridge has it"
        with _kernel_listens(host):
            for number, (where, address) in enumerate(
                    ((box, "10.88.0.1"), (box, topology.hub.v4),
                     (host, topology.hub.v4), (host, "127.0.0.1")), 2):
                assert _kernel_answers(where, address)
                # Beside the hub the tunnel's network is the hub's device's.
                length = 24 if where is box else 32
                client = _join(start, where, address,
                               f"10.0.0.{number}/{length}", f"c{number}",
                               "-tun-name", "lwt9")
                hub.wait_up(20)
                if where is box:
                    assert box.ping("10.0.0.1") == 3
                assert client.stop() == 0
                hub.wait_up(20, peers=0)
    finally:
        box.delete()


def test_hub_listens_at_several_places(make_topology, start):
    """Flags of both forms, both families, and an address that is not there;
    nobody else has the ports."""
    topology = make_topology(clients=2)
    host, first, second = (topology.hub.namespace,
                           *(one.namespace for one in topology.clients))
    hub = start(host, [
        *server_arguments("10.0.0.1/24", _PLAIN, topology.hub.v4), "-l",
        f"[{topology.hub.v6}]:{PORT},192.168.10.99:443"
    ], "hub")
    with _kernel_listens(host):
        assert _kernel_answers(first, topology.hub.v4)
        assert _kernel_answers(second, topology.hub.v6)
        _join(start, first, topology.hub.v4, "10.0.0.2/24", "first")
        _join(start, second, topology.hub.v6, "10.0.0.3/24", "second")
        assert first.ping("10.0.0.3") == 3
    hub.wait_log("listening at 192.168.10.2:9000, .*, 192.168.10.99:443, ")
    taken = host.run(DAEMON, *server_arguments("10.9.0.1/24", _PLAIN,
                                               topology.hub.v6),
                     "-tun-name", "lwt9", check=False)
    assert taken.returncode != 0 and "in use" in taken.stdout
    within = host.run(DAEMON, "-check-config", *server_arguments(
        "10.9.0.1/24", _PLAIN), "-l", f"{topology.hub.v4}:{PORT}", check=False)
    assert "is part of 0.0.0.0:9000" in within.stdout


def test_address_on_loopback_is_served_by_the_interfaces(topology, start):
    """As anycast and balancers have it: announced by routing, on lo or on an
    interface that no frame comes by."""
    host, client = topology.hub.namespace, topology.client.namespace
    host.ip("link", "add", "vip", "type", "bridge")
    host.ip("link", "set", "vip", "up")
    for device, address in (("lo", "192.0.2.7"), ("vip", "192.0.2.8")):
        host.ip("address", "add", f"{address}/32", "dev", device)
        topology.router.ip("route", "add", f"{address}/32", "via",
                           topology.hub.v4)
    with _kernel_listens(host):
        for address in ("192.0.2.7", "192.0.2.8"):
            hub = start(host, server_arguments("10.0.0.1/24", _PLAIN, address),
                        "hub")
            assert _kernel_answers(client, address)
            gateway = _join(start, client, address, "10.0.0.2/24", "client")
            assert client.ping("10.0.0.1") == 3
            assert (gateway.stop(), hub.stop()) == (0, 0)


def test_more_interfaces_than_are_served(topology, start):
    """The one of the listen address is, and the others are named."""
    host, client = topology.hub.namespace, topology.client.namespace
    host.run("ip", "-batch", "-", input="".join(
        f"link add many{i} type bridge\nlink set many{i} up\n"
        f"address add 10.88.{i}.1/24 dev many{i}\n" for i in range(17)))
    hub = start(host, server_arguments("10.86.27.1/24", _PLAIN), "hub")
    said = ("more than 16 interfaces have addresses; not served: .*many16; "
            "-l with an address of one serves it before the others")
    hub.wait_log(said)
    hub.wait_status(
        lambda status: re.search(said, status["uplink"]["reason"]), 15, "said")
    _join(start, client, topology.hub.v4, "10.86.27.2/24", "client")
    assert client.ping("10.86.27.1") == 3


def test_listen_address_that_comes_later_is_waited_for(topology, start):
    """A VRRP address, then none: said once, and served when it is there."""
    host, client = topology.hub.namespace, topology.client.namespace
    address = "192.168.10.77"
    hub = start(host, server_arguments("10.0.0.1/24", _PLAIN, address), "hub")
    hub.wait_log(f"no interface has the listen address {address}.*; waiting")
    gateway = start(client, client_arguments(address, "10.0.0.2/24", _PLAIN),
                    "client")
    with _kernel_listens(host):
        assert not _kernel_answers(client, address)
        host.ip("address", "add", f"{address}/24", "dev", "eth0")
        # The router may just have given its neighbour up.
        wait_until(lambda: _kernel_answers(client, address), 20,
                   "the kernel at the address")
    gateway.wait_up(45)
    assert client.ping("10.0.0.1") == 3
    assert hub.log().count("waiting for one") == 1


def _many_addresses(host, router, device, count):
    """That a v4 and a v6 network are full of; returns the last of each."""
    v4 = [f"10.{64 + i // 256}.{i % 256}.1/32" for i in range(count)]
    v6 = [f"fd00:99::{i:x}:{i * 7919 % 65536:x}/128" for i in range(count)]
    host.run("ip", "-batch", "-",
             input="".join(f"address add {each} dev {device}"
                           f"{' nodad' if ':' in each else ''}\n"
                           for each in v4 + v6))
    return v4[-1].split("/")[0], v6[-1].split("/")[0]


def test_host_with_two_thousand_addresses(topology, start):
    """Of each family, none of them next to another."""
    host, client = topology.hub.namespace, topology.client.namespace
    last4, last6 = _many_addresses(host, topology.router, "eth0", 2000)
    topology.router.ip("route", "add", f"{last4}/32", "via", topology.hub.v4)
    topology.router.ip("route", "add", f"{last6}/128", "via", topology.hub.v6)
    hub = start(host, server_arguments("10.0.0.1/24", _PLAIN, "::"), "hub")
    with _kernel_listens(host):
        for address in (last4, last6):
            assert _kernel_answers(client, address)
            gateway = _join(start, client, address, "10.0.0.2/24", "client")
            assert client.ping("10.0.0.1") == 3
            assert gateway.stop() == 0
    assert hub.running() and "filter" not in hub.log()
