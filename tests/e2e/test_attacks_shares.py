"""One client, or the host's own clock, against all the others: each keeps its
share of the hub."""

import os
import signal

from harness.capture import Capture
from harness.gateway import (BUILD, DAEMON, client_arguments,
                             server_arguments)
from harness.variant import Variant
from harness.wait import wait_until

_TSC_RESET = BUILD / "tests/support/libtsc_reset.so"
# What the shim does on which signal.
_RESET, _LEAP, _SUSPEND = signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH


def _start_with_shim(start, namespace, arguments, label):
    return start(namespace, [f"LD_PRELOAD={_TSC_RESET}", DAEMON, *arguments],
                 label, program="/usr/bin/env")


def _pair_with_shim(start, topology):
    hub = _start_with_shim(start, topology.hub.namespace,
                           server_arguments("10.0.0.1/24"), "hub")
    client = _start_with_shim(
        start, topology.client.namespace,
        client_arguments(topology.hub.v4, "10.0.0.2/24"), "client")
    client.wait_up()
    hub.wait_up()
    return hub, client


_HUB_INSIDE = "10.0.0.1/24,fd09::1/64"


def _has_ipv6(host):
    return "fd09::1" in host.namespace.ip("-6", "address", "show", "dev",
                                          "lwt0")


def test_a_small_mtu_of_one_client_is_nobody_elses(make_topology, start):
    """An LTE link, or -mtu, takes IPv6 neither from the hub's device nor from
    the client's own."""
    topology = make_topology(clients=3)
    one, small, lte = topology.clients
    # Less than an IPv6 packet and our headers.
    for namespace, device in ((lte.namespace, "eth0"), (topology.router, "c3")):
        namespace.ip("link", "set", device, "mtu", 1300)
    hub = start(topology.hub.namespace, server_arguments(_HUB_INSIDE), "hub")
    clients = [
        start(host.namespace,
              [*client_arguments(topology.hub.v4, inside), *flags], label)
        for host, inside, label, flags in (
            (one, "10.0.0.2/24,fd09::2/64", "one", ()),
            (small, "10.0.0.3/24", "small", ("-mtu", 1200)),
            (lte, "10.0.0.4/24,fd09::4/64", "lte", ()))
    ]
    for client in clients:
        client.wait_up()
    hub.wait_up(peers=3)
    assert [client.status()["tunnel"]["mtu"] for client in clients] == [
        1409, 1200, 1280]
    assert hub.status()["tunnel"]["mtu"] == 1409
    assert _has_ipv6(topology.hub)
    assert one.namespace.ping("fd09::1", size=1409 - 48) == 3
    assert small.namespace.ping("10.0.0.1", size=1200 - 28) == 3
    # The whole of an IPv6 packet, by records in two segments.
    for host in (lte, topology.hub):
        peer = "fd09::1" if host is lte else "fd09::4"
        assert host.namespace.ping(peer, size=1280 - 48) == 3
    assert one.namespace.ping("fd09::4", size=1280 - 48) == 3
    # What is too big for one client is counted, and others' is not.
    before = hub.drops()["inner_too_big"]
    assert topology.hub.namespace.ping("10.0.0.3", size=1300, count=1,
                                       timeout=1) == 0
    assert hub.drops()["inner_too_big"] > before
    assert topology.hub.namespace.ping("10.0.0.2", size=1300) == 3


def test_what_the_tunnel_device_lost_comes_back(topology, start):
    hub, client = start.pair(topology, Variant(), hub_tunnel=_HUB_INSIDE,
                             client_tunnel="10.0.0.2/24,fd09::2/64")
    inside = topology.client.namespace
    assert inside.ping("fd09::1") == 3
    # A device too small for IPv6, and an address that somebody deletes.
    topology.hub.namespace.ip("link", "set", "lwt0", "mtu", 1200)
    hub.wait_log(r"fd09::1/64 was gone: it is back", timeout=5)
    inside.ip("address", "delete", "fd09::2/64", "dev", "lwt0")
    inside.ip("address", "delete", "10.0.0.2/24", "dev", "lwt0")
    client.wait_log(r"10\.0\.0\.2/24 was gone: it is back", timeout=5)
    assert inside.ping("fd09::1") == 3
    assert inside.ping("10.0.0.1") == 3
    assert hub.status()["tunnel"]["mtu"] == 1409
    assert "mtu 1409" in topology.hub.namespace.ip("link", "show", "lwt0")


def _timestamps(capture, source):
    """Time and TSval of each segment from an address, by flow, in the order
    that they were seen."""
    flows = {}
    for at, port, value in capture.fields(
            "frame.time_relative", "tcp.srcport", "tcp.options.timestamp.tsval",
            condition=f"ip.src == {source} && tcp.options.timestamp.tsval"):
        flows.setdefault(port, []).append((float(at), int(value)))
    return flows


def test_tunnel_goes_on_when_the_tsc_begins_anew_or_leaps(
        topology, start, folder):
    """The kernel's clock goes on meanwhile, as it does through a suspend. What
    is trapped is every reading of the TSC in the process."""
    hub, client = _pair_with_shim(start, topology)
    capture = Capture(topology.router, "c1", folder)
    inside = topology.client.namespace
    assert inside.ping("10.0.0.1") == 3
    for gateway in (client, hub):
        for change in (_RESET, _LEAP, _RESET):
            os.kill(gateway.pid, change)
            wait_until(lambda: inside.ping("10.0.0.1", count=1, timeout=1), 3,
                       f"{gateway.label} answers after {change.name}")
            # And it stays so: timers run, not only what comes.
            assert inside.ping_burst("10.0.0.1", 10, 0.02) == 10
    capture.stop()
    flows = [values for host in (topology.hub, topology.client)
             for values in _timestamps(capture, host.v4).values()]
    assert flows and max(map(len, flows)) > 60
    for values in flows:
        for (before, old), (after, new) in zip(values, values[1:]):
            step = (new - old) % 2**32
            assert step < 2**31, f"TSval goes back from {old} to {new}"
            assert step <= (after - before) * 1000 + 500, (before, old, new)


def test_a_suspended_host_looks_after_its_tunnel_at_once(topology, start):
    _, client = _pair_with_shim(start, topology)
    before = client.status()["peers"][0]["records_opened"]
    os.kill(client.pid, _SUSPEND)
    client.wait_log(r"the host was suspended for 60 s", timeout=3)
    # The answer to a probe, which is 20 s away otherwise.
    client.wait_status(
        lambda status: status["peers"][0]["records_opened"] > before, 2,
        "the hub's answer to a probe")
    assert topology.client.namespace.ping("10.0.0.1") == 3
