"""One client, or the host's own clock, against all the others: each keeps its
share of the hub."""

import json
import os
import re
import signal
import statistics
import subprocess

import pytest

from harness.capture import Capture
from harness.gateway import (BUILD, DAEMON, client_arguments, named,
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


# Paced TCP of a client that minds its own business, and how long it runs.
_PACED_MBITS, _SECONDS = 10, 3


class _Quiet:
    """Clients that send paced TCP to the hub, the last one pings as well."""

    def __init__(self, topology, clients, address):
        hub = topology.hub.namespace
        self._servers, self._senders = [], []
        for number, host in enumerate(clients):
            port = 5301 + number
            self._servers.append(
                hub.popen("iperf3", "-s", "-1", "-p", port,
                          stdout=subprocess.DEVNULL))
            wait_until(
                lambda port=port: hub.output("ss", "-Hltn",
                                             f"sport = :{port}").strip(), 5,
                "iperf3 listens")
            self._senders.append(
                host.namespace.popen("iperf3", "-c", address, "-p", port, "-J",
                                     "-b", f"{_PACED_MBITS}M", "-t", _SECONDS,
                                     stdout=subprocess.PIPE, text=True))
        self._ping = clients[-1].namespace.popen(
            "ping", "-n", "-i", "0.02", "-c", _SECONDS * 40, "-W", "1", address,
            stdout=subprocess.PIPE, text=True)

    def result(self):
        """The slowest of the TCP flows in Mbit/s, and ping's median in ms."""
        text, _ = self._ping.communicate(timeout=60)
        times = [float(ms) for ms in re.findall(r"time=([\d.]+)", text)]
        assert len(times) > _SECONDS * 20, text
        rates = []
        for sender, server in zip(self._senders, self._servers):
            report = json.loads(sender.communicate(timeout=60)[0])
            assert "error" not in report, report["error"]
            rates.append(report["end"]["sum_received"]["bits_per_second"] / 1e6)
            server.kill()
            server.wait()
        return min(rates), statistics.median(times)


def _flood(host, address):
    """Datagrams of 32 bytes to a port that nobody has, as fast as they go."""
    program = ("import socket\n"
               "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
               f"a, b = ('{address}', 9), b'x' * 32\n"
               "while True:\n"
               "    try: s.sendto(b, a)\n"
               "    except OSError: pass\n")
    return host.namespace.popen("python3", "-c", program)


@pytest.mark.alone
def test_a_flooding_client_leaves_the_others_their_share(make_topology, start):
    """Tiny packets in the largest groups of FEC, a quarter of them lost: the
    costliest that a client may send. The same flood and the same clients
    without a tunnel are the control."""
    topology = make_topology(clients=3)
    flooder, *quiet = topology.clients
    topology.router.nft("""
        table inet loss {
          chain forward {
            type filter hook forward priority 10;
            iifname "c1" tcp dport 9000 numgen random mod 4 < 1 counter drop
          }
        }""")
    hub = start(topology.hub.namespace,
                server_arguments("10.0.0.1/24", Variant(workers=1)), "hub")
    for number, host in enumerate(topology.clients):
        flags = ("-fec", "64:32") if host is flooder else ()
        start(host.namespace, [
            *client_arguments(topology.hub.v4, f"10.0.0.{number + 2}/24"),
            *flags
        ], f"client{number}").wait_up()
    hub.wait_up(peers=3)
    alone, _ = _Quiet(topology, quiet, "10.0.0.1").result()

    def beside_flood(address):
        flood = _flood(flooder, address)
        try:
            return _Quiet(topology, quiet, address).result()
        finally:
            flood.kill()
            flood.wait()

    _, kernel_ms = beside_flood(topology.hub.v4)
    before = hub.status()["peers"]
    rate, ping_ms = beside_flood("10.0.0.1")
    sent = {peer["tunnel_addresses"][0]: peer["rx_packets"] for peer in before}
    got = {peer["tunnel_addresses"][0]: peer["rx_packets"]
           - sent[peer["tunnel_addresses"][0]] for peer in hub.status()["peers"]}
    assert max(got, key=got.get).startswith("10.0.0.2"), got
    assert sum(named(peer["fec"])["shards_repaired"]
               for peer in hub.status()["peers"]) > 100
    assert rate >= alone / 2, (rate, alone, got)
    assert ping_ms <= kernel_ms + 20, (ping_ms, kernel_ms)


class _Load:
    """TCP as fast as it goes between each host and the hub, a flow a host
    except for `flows` of the first one."""

    def __init__(self, hub, hosts, address, flows, *flags):
        self._runs = []
        for number, host in enumerate(hosts):
            port = 5401 + number
            server = hub.namespace.popen("iperf3", "-s", "-1", "-p", port,
                                         stdout=subprocess.DEVNULL)
            wait_until(
                lambda port=port: hub.namespace.output(
                    "ss", "-Hltn", f"sport = :{port}").strip(), 5,
                "iperf3 listens")
            client = host.namespace.popen(
                "iperf3", "-c", address, "-p", port, "-J", "-t", _SECONDS,
                "-P", flows if number == 0 else 1, *flags,
                stdout=subprocess.PIPE, text=True)
            self._runs.append((client, server))

    def rates(self):
        """Mbit/s that came of each host's."""
        rates = []
        for client, server in self._runs:
            report = json.loads(client.communicate(timeout=60)[0])
            assert "error" not in report, report["error"]
            rates.append(report["end"]["sum_received"]["bits_per_second"] / 1e6)
            server.kill()
            server.wait()
        return rates


@pytest.mark.alone
@pytest.mark.parametrize("flags", [(), ("-R",)], ids=["up", "down"])
def test_a_client_at_full_load_leaves_each_other_half_of_an_equal_share(
        make_topology, start, flags):
    """Three clients that are alike are the control, by turns with one of them
    that sends by sixteen flows. A fourth has nothing to do and pings."""
    topology = make_topology(clients=4)
    *senders, idle = topology.clients
    start(topology.hub.namespace,
          server_arguments("10.0.0.1/24", Variant(workers=1)), "hub")
    for number, host in enumerate(topology.clients):
        start(host.namespace,
              client_arguments(topology.hub.v4, f"10.0.0.{number + 2}/24"),
              f"client{number}").wait_up()

    def run(flows):
        load = _Load(topology.hub, senders, "10.0.0.1", flows, *flags)
        ping = idle.namespace.popen(
            "ping", "-n", "-i", "0.02", "-c", _SECONDS * 40, "-W", "1",
            "10.0.0.1", stdout=subprocess.PIPE, text=True)
        times = sorted(float(ms) for ms in re.findall(
            r"time=([\d.]+)", ping.communicate(timeout=60)[0]))
        rates = load.rates()
        assert len(times) > _SECONDS * 20, times
        return rates, statistics.median(times), times[len(times) * 99 // 100]

    shares, added, tails = [], [], []
    for _ in range(3):
        alike, alike_ms, alike_p99 = run(1)
        rates, ping_ms, p99 = run(16)
        shares.append(min(rates[1:]) / statistics.mean(alike))
        added.append(ping_ms - alike_ms)
        tails.append(p99 - alike_p99)
    told = [[round(figure, 2) for figure in row]
            for row in (shares, added, tails)]
    assert statistics.median(shares) >= 0.5, told
    assert statistics.median(added) <= 20, told
