"""Inside: what a line takes becomes the MTU of the peer behind it, on both
sides, and whoever sends more is told so. Beside it what the kernels do on the
same line."""

import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import threading
import time

import pytest

from harness.bad_link import BadWire
from harness.gateway import client_arguments, server_arguments
from harness.traffic import Iperf, longest_silence, transfer
from harness.variant import Variant
from harness.wait import wait_until

_DF_UDP = pathlib.Path(__file__).parent / "harness" / "df_udp.py"
_HUB, _CLIENT = "10.0.0.1", "10.0.0.2"
_DUAL = {"hub_tunnel": "10.0.0.1/24,fd09::1/64",
         "client_tunnel": "10.0.0.2/24,fd09::2/64"}
_OVERHEAD = 20 + 32 + 39  # IPv4, TCP with timestamps, a record with a packet
_FOLLOWS_S = 20  # 15, and some for a host that is busy
# What the line takes, one after the other.
_STEPS = ((1300, 1500, 600, 1500) if os.environ.get("LWT_E2E") == "full" else
          (600, 1500))


def _mtu_of(gateway):
    return gateway.status()["peers"][0]["mtu"]


def _device_mtu(host, device="lwt0"):
    text = host.namespace.ip("-o", "link", "show", "dev", device)
    return int(re.search(r"mtu (\d+)", text).group(1))


class _Flow:
    """DF UDP from one namespace to an address of another."""

    def __init__(self, sender, receiver, address, port, seconds):
        self._sink = receiver.popen(sys.executable, _DF_UDP, "receive",
                                    address, port, seconds + 3,
                                    stdout=subprocess.PIPE, text=True)
        assert self._sink.stdout.readline() == "ready\n"
        self.began = time.monotonic()
        self._source = sender.popen(sys.executable, _DF_UDP, "send", address,
                                    port, seconds, stdout=subprocess.PIPE,
                                    text=True)

    def result(self):
        """[seconds, size, told, came] of each datagram."""
        sent = json.loads(self._source.communicate(timeout=200)[0])
        came = set(json.loads(self._sink.communicate(timeout=200)[0]))
        return [[*entry, number in came] for number, entry in enumerate(sent)]


def _silent(flow, windows):
    """Of each window of seconds: how many left, and how many of them neither
    came nor were told of."""
    counts = []
    datagrams = flow.result()
    for begin, end in windows:
        inside = [entry for entry in datagrams
                  if begin <= entry[0] + flow.began < end]
        lost = [entry for entry in inside if not entry[2] and not entry[3]]
        counts.append((len(inside), len(lost)))
    return counts


@pytest.mark.alone
@pytest.mark.parametrize("told", [True, False], ids=["icmp", "black-hole"])
def test_the_peers_mtu_follows_the_line(topology, start, told):
    """Soon after each change nothing is lost in silence, whatever it is."""
    hub, client = topology.hub.namespace, topology.client.namespace
    for side in (hub, client):
        side.sysctl(net__ipv4__tcp_mtu_probing=1)
    gateways = start.pair(topology, Variant(), **_DUAL)
    before = _device_mtu(topology.hub)
    phase = _FOLLOWS_S + 2
    whole = phase * len(_STEPS) + 6
    flows = [_Flow(hub, client, _CLIENT, 6001, whole),
             _Flow(client, hub, _HUB, 6002, whole),
             _Flow(client, hub, "fd09::1", 6003, whole)]
    tcp = Iperf(hub, client, _HUB, "-b", "2M", seconds=whole)
    windows = []
    for mtu in _STEPS:
        topology.narrow(mtu, told)
        changed = time.monotonic()
        fits = max(mtu - _OVERHEAD, 576)
        least = min(fits, 1189 if mtu > 600 else 576)
        for gateway in gateways:
            gateway.wait_status(
                lambda status: (least if mtu < 1500 else fits) <=
                status["peers"][0]["mtu"] <= fits, _FOLLOWS_S,
                f"its peer's MTU fits {mtu}")
        wait_until(lambda: _device_mtu(topology.client) == max(
            1280, _mtu_of(gateways[1])), 10, "the client's device follows")
        assert _device_mtu(topology.hub) == before, "the hub's is everybody's"
        wait_until(lambda: time.monotonic() > changed + phase, phase + 1,
                   "the phase ends")
        windows.append((changed + _FOLLOWS_S, changed + phase))
    for flow in flows:
        for (sent, lost), mtu in zip(_silent(flow, windows), _STEPS):
            assert sent > 50 and lost == 0, (mtu, sent, lost)
    report = tcp.result()
    assert longest_silence(report) < 10, report["intervals"]
    # The control: TCP of the kernels' own comes through these lines too.
    for mtu in (600, 1500):
        topology.narrow(mtu, told)
        transfer(hub, client, topology.client.v4, 1 << 20, port=5556)
    if told:
        heeded = sum(gateway.counters()["too_big_heeded"]
                     for gateway in gateways)
        assert heeded > 0


def test_a_router_that_tells_is_heeded_to_the_byte(topology, start):
    _, client = start.pair(topology, Variant())
    topology.narrow(1337)
    transfer(topology.client.namespace, topology.hub.namespace, _HUB, 1 << 20)
    client.wait_status(
        lambda status: status["peers"][0]["mtu"] == 1337 - _OVERHEAD, 15,
        "what the router told")
    assert client.counters()["too_big_heeded"] > 0


@pytest.mark.alone
def test_the_uplinks_own_mtu_is_followed(topology, start):
    hub, client = start.pair(topology, Variant())
    inside = topology.client.namespace
    for mtu in (1300, 1500):
        inside.ip("link", "set", "eth0", "mtu", mtu)
        flow = Iperf(topology.hub.namespace, inside, _HUB, "-b", "5M",
                     seconds=_FOLLOWS_S)
        for gateway in (hub, client):
            gateway.wait_status(
                lambda status: status["peers"][0]["mtu"] == mtu - _OVERHEAD,
                _FOLLOWS_S, f"MTU {mtu}")
        assert longest_silence(flow.result()) < 2
        assert inside.ping(_HUB, size=mtu - _OVERHEAD - 28) == 3
        # As a connection of the kernel's own does.
        transfer(topology.hub.namespace, inside, topology.client.v4, 1 << 18,
                 port=5556)


def _ping(namespace, address, *words):
    return namespace.run("ping", "-n", "-c", 2, "-W", 1, *words, address,
                         check=False).stdout


def test_a_client_is_told_that_another_ones_line_is_narrow(make_topology,
                                                          start):
    """A packet from MTU 1409 to 1209 vanished; DF or not, IPv4 or IPv6."""
    topology = make_topology(clients=2)
    near, far = topology.clients
    hub = start(topology.hub.namespace,
                server_arguments("10.0.0.1/24,fd09::1/64"), "hub")
    for number, host in enumerate(topology.clients, 2):
        start(host.namespace,
              client_arguments(topology.hub.v4,
                               f"10.0.0.{number}/24,fd09::{number}/64"),
              f"c{number}")
    hub.wait_up(peers=2)
    topology.narrow(1300, hosts=[far])
    transfer(topology.hub.namespace, far.namespace, "10.0.0.3", 1 << 20)
    hub.wait_status(
        lambda status: sorted(peer["mtu"] for peer in status["peers"]) ==
        [1209, 1409], _FOLLOWS_S, "one peer's MTU is less")
    assert "Frag needed and DF set (mtu = 1209)" in _ping(
        near.namespace, "10.0.0.3", "-M", "do", "-s", 1322)
    near.namespace.ip("route", "flush", "cache")
    assert "2 received" in _ping(near.namespace, "10.0.0.3", "-M", "dont",
                                 "-s", 1322)
    assert "Packet too big: mtu=1280" in _ping(near.namespace, "fd09::3",
                                               "-M", "do", "-s", 1322)
    assert "2 received" in _ping(near.namespace, "fd09::3", "-s", 1280 - 48)
    # The hub's own host is told too.
    topology.hub.namespace.ip("route", "flush", "cache")
    assert "mtu = 1209" in _ping(topology.hub.namespace, "10.0.0.3", "-M",
                                 "do", "-s", 1322)
    assert hub.counters()["icmp_errors_sent"] >= 3
    transfer(near.namespace, far.namespace, "10.0.0.3", 1 << 20)
    # A router of the kernel's says the same of the line outside.
    assert "mtu = 1300" in _ping(topology.hub.namespace, far.v4, "-M", "do",
                                 "-s", 1372)


def test_who_is_absent_or_down_is_unreachable(make_topology, start):
    topology = make_topology()
    hub, client = start.pair(topology, Variant(), **_DUAL)
    inside, host = topology.client.namespace, topology.hub.namespace
    for asker in (inside, host):
        for address in ("10.0.0.77", "fd09::77"):
            assert re.search(r"Destination Host Unreachable|"
                             r"Destination unreachable: Address unreachable",
                             _ping(asker, address)), address
    # An address that nobody has on a network of the kernel's own.
    assert "Destination Host Unreachable" in topology.client.namespace.run(
        "ping", "-n", "-c", 1, "-W", 5, topology.client.gateway_v4[:-1] + "9",
        check=False).stdout
    topology.cut()
    hub.kill()
    client.wait_status(lambda status: status["peers"][0]["state"] != "up", 60,
                       "the hub is missed")
    before = client.drops().get("inner_too_big", 0)
    topology.heal()
    wait_until(lambda: "Destination Host Unreachable" in _ping(inside, _HUB),
               60, "the host is told that the hub is down")
    assert client.drops().get("inner_too_big", 0) == before
    assert client.drops()["no_lane"] > 0


def test_a_router_that_clears_df_and_cuts(topology, start):
    """Fragments of ours come together again; the kernel's do as well."""
    topology.router.nft("""
        table ip cut {
          chain prerouting {
            type filter hook prerouting priority -500;
            ip frag-off set 0
          }
        }""")
    topology.narrow(1400)
    hub, client = topology.hub.namespace, topology.client.namespace
    transfer(hub, client, topology.client.v4, 1 << 20, port=5556)
    start.pair(topology, Variant())
    for size in (56, 1300, 1381):
        assert client.ping(_HUB, size=size) == 3, size
        assert hub.ping(_CLIENT, size=size) == 3, size
    transfer(client, hub, _HUB, 1 << 20)
    transfer(hub, client, _CLIENT, 1 << 20)
    counts = topology.router.output("nstat", "-az", "IpFragOKs")
    assert int(re.search(r"IpFragOKs\s+(\d+)", counts).group(1)) > 0


def _checksum(data):
    data += bytes(len(data) % 2)
    total = sum(int.from_bytes(data[i:i + 2], "big")
                for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return (0xffff - total).to_bytes(2, "big")


def _too_big(frame, mtu):
    """What the router would say to who sent an IPv4 frame."""
    packet = frame[14:]
    icmp = bytes([3, 4, 0, 0, 0, 0]) + mtu.to_bytes(2, "big") + packet[:40]
    icmp = icmp[:2] + _checksum(icmp) + icmp[4:]
    header = (bytes([0x45, 0]) + (20 + len(icmp)).to_bytes(2, "big") +
              bytes([0, 1, 0, 0, 64, 1, 0, 0]) + packet[16:20] + packet[12:16])
    header = header[:10] + _checksum(header) + header[12:]
    return frame[6:12] + frame[:6] + frame[12:14] + header + icmp


class _Liar:
    """Sees all that a host sends by the router, and tells it of full segments,
    which arrive, that they were too large."""

    def __init__(self, topology, host, mtu):
        self._wire = topology.router.packet_socket(host.namespace.label)
        self._wire.settimeout(0.2)
        self._mtu = mtu
        self.lies = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        self._wire.close()

    def _run(self):
        while not self._stop.is_set():
            try:
                frame, address = self._wire.recvfrom(65536)
            except socket.timeout:
                continue
            incoming = address[2] == 0  # PACKET_HOST
            if not incoming or frame[12:14] != b"\x08\x00" or frame[23] != 6 \
                    or len(frame) < 1200:
                continue
            self._wire.send(_too_big(frame, self._mtu))
            self.lies += 1
            self._stop.wait(0.005)
            self._forget()

    def _forget(self):
        """What waits is acknowledged by now."""
        self._wire.setblocking(False)
        try:
            while True:
                self._wire.recv(65536)
        except BlockingIOError:
            self._wire.settimeout(0.2)


@pytest.mark.alone
def test_a_router_that_lies_changes_nothing(topology, start):
    """Somebody on the path who drops nothing, with numbers in flight: RFC 5927.
    A connection of the kernel's takes it at its word."""
    hub, client = topology.hub.namespace, topology.client.namespace
    # A round trip, so that numbers are in flight when it speaks.
    wire = BadWire(topology.insert_wire(topology.client), "host", "router",
                   delay_ms=20)
    gateways = start.pair(topology, Variant())
    with _Liar(topology, topology.hub, 600) as liar:
        transfer(hub, client, _CLIENT, 4 << 20)
        tunneled = liar.lies
        outside = Iperf(client, hub, topology.client.v4, "-b", "10M", seconds=8)
        wait_until(lambda: re.search(r" mss:548\b", hub.output(
            "ss", "-tin", "dst", topology.client.v4)), 5,
                   "the kernel believes it")
        outside.result()
    assert tunneled > 20
    for gateway in gateways:
        assert _mtu_of(gateway) == 1409
    assert gateways[0].counters()["too_big_heeded"] > 0, "it was looked at"
    lanes = gateways[0].status()["peers"][0]["lane_list"]
    assert {lane["segment_payload"] for lane in lanes} == {1448}
    wire.end()
