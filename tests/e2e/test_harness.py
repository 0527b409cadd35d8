"""The tools of these tests, tried on the kernel alone: a check for zero is
worth something only when it is seen to count."""

import json
import re
import statistics

import pytest

from harness import conntrack
from harness.bad_link import BadWire
from harness.capture import Capture
from harness.gateway import BUILD
from harness.netns import run
from harness.snapshot import difference, free_hugepages, host_snapshot
from harness.traffic import Iperf, longest_silence, mbits, transfer
from harness.wait import wait_until


def test_snapshot_sees_what_leaks(topology):
    hub = topology.hub.namespace
    before = host_snapshot([hub])
    assert not difference(before, host_snapshot([hub]))
    leaks = {
        "table inet leak": lambda: hub.nft("table inet leak {}"),
        '"ifname": "leak0"':
            lambda: hub.ip("tuntap", "add", "leak0", "mode", "tun"),
        "10.9.9.9":
            lambda: hub.ip("address", "add", "10.9.9.9/32", "dev", "lo"),
        "10.8.0.0/16":
            lambda: hub.ip("route", "add", "10.8.0.0/16", "dev", "eth0"),
        "fwmark": lambda: hub.ip("rule", "add", "fwmark", "7", "table", "9"),
        "generic-receive-offload": lambda: hub.run("ethtool", "-K", "eth0",
                                                   "gro", "on"),
        "/run/leak": lambda: run("touch", "/run/leak"),
        "/dev/shm/leak": lambda: run("touch", "/dev/shm/leak"),
    }
    hub.run("ethtool", "-K", "eth0", "gro", "off")
    for sign, leak in leaks.items():
        before = host_snapshot([hub])
        leak()
        changed = difference(before, host_snapshot([hub]))
        assert any(sign in line for line in changed), (sign, changed)
    run("rm", "/run/leak", "/dev/shm/leak")


def test_snapshot_sees_hugepages_that_are_kept(folder):
    """On a made-up tree: the host's own may have none."""
    for size, pages in (("hugepages-2048kB", 64), ("hugepages-1048576kB", 2)):
        (folder / size).mkdir()
        (folder / size / "free_hugepages").write_text(f"{pages}\n")
    before = free_hugepages(folder)
    assert not difference(before, free_hugepages(folder))
    (folder / "hugepages-2048kB" / "free_hugepages").write_text("63\n")
    changed = difference(before, free_hugepages(folder))
    assert "+hugepages-2048kB 63 free" in changed, changed


def test_kernel_traffic_crosses_the_router(topology):
    hub, client = topology.hub, topology.client
    assert client.namespace.ping(hub.v4) == 3
    assert client.namespace.ping(hub.v6) == 3
    transfer(client.namespace, hub.namespace, hub.v4, 1 << 20)
    transfer(hub.namespace, client.namespace, client.v6, 1 << 20)
    run_ = Iperf(hub.namespace, client.namespace, hub.v4, seconds=2).result()
    assert mbits(run_) > 0
    assert longest_silence(run_) < 1


def test_loss_rule_drops_its_share(topology):
    topology.add_loss(500)
    topology.router.nft(
        "table inet sum { chain forward { type filter hook forward "
        "priority 0; meta l4proto tcp counter; }; }")
    topology.client.namespace.ping(topology.hub.v4)
    sent = conntrack.send_segments(topology, 2000)
    wait_until(lambda: conntrack.counted(topology.router, "sum") >= sent, 5,
               "all segments reach the router")
    seen = conntrack.counted(topology.router, "sum")
    lost = conntrack.counted(topology.router, "loss")
    assert 0.45 * seen < lost < 0.55 * seen


def test_invalid_counter_sees_a_forged_segment(topology):
    conntrack.watch(topology.router)
    load = Iperf(topology.hub.namespace, topology.client.namespace,
                 topology.hub.v4, "-b", "10M", seconds=2)
    wait_until(lambda: conntrack.entries(topology.router, 5201), 5,
               "the connection is tracked")
    assert conntrack.invalid(topology.router) == 0
    conntrack.prove_invalid_is_counted(topology, 5201)
    load.result()


def test_capture_sees_a_bad_checksum(topology, folder):
    capture = Capture(topology.router, "hub", folder)
    transfer(topology.client.namespace, topology.hub.namespace,
             topology.hub.v4, 1 << 16)
    conntrack.send_bad_checksum(topology)
    capture.stop()
    assert len(capture.bad_checksums()) == 1


def test_bad_link_delays_and_loses(make_bad_link):
    link = make_bad_link(delay_ms=20, jitter_ms=5, loss=30, seed=5)
    client = link.client.namespace
    # The neighbours are looked up over the same link: a lost request takes a
    # second.
    wait_until(lambda: client.ping(link.hub.v4, count=1), 20, "an answer")
    text = client.run("ping", "-c", "100", "-i", "0.02", "-W", "1",
                      link.hub.v4, check=False).stdout
    fastest = float(re.search(r"rtt.* = ([\d.]+)/", text).group(1))
    assert 40 <= fastest < 60
    counts = link.counts()
    assert counts["b_to_a"]["lost"] >= 10
    assert counts["a_to_b"]["lost"] >= 5
    received = int(re.search(r"(\d+) received", text).group(1))
    assert 30 <= received <= 70


def test_bad_link_carries_a_transfer(make_bad_link):
    link = make_bad_link(delay_ms=1, reorder=1, duplicate=1, loss=0.1)
    transfer(link.client.namespace, link.hub.namespace, link.hub.v4, 32 << 20)
    counts = link.counts()["b_to_a"]
    assert counts["offered"] > (32 << 20) / 1500
    for name in ("lost", "reordered", "duplicated"):
        assert counts[name] > 0, counts


def _frames_per_cpu_second(lab, frames, **settings):
    """What a wire from in1 to out1 carries in a second of its own CPU, and its
    counts."""
    wire = BadWire(lab, "in1", "out1", **settings)
    try:
        done = json.loads(
            lab.output(BUILD / "tests/support/bad_link_flood", "in0", "out0",
                       frames, 1400))
        counts = wire.counts()["a_to_b"]
        used = wire.cpu_seconds()
    finally:
        wire.end()
    assert done["received"] >= frames, (done, counts)
    return counts["offered"] / used, counts


@pytest.mark.alone
def test_bad_link_carries_most_of_what_a_bare_one_does(topology):
    """The full model beside a loop of the same system calls that does nothing
    to frames. How fast the machine is, and what else it does, is no matter."""
    lab = topology.router
    for near, far in (("in0", "in1"), ("out0", "out1")):
        lab.ip("link", "add", near, "type", "veth", "peer", "name", far)
        for device in (near, far):
            lab.run("sysctl", "-qw", f"net.ipv6.conf.{device}.disable_ipv6=1")
            lab.ip("link", "set", device, "up")
    shares = []
    for seed in range(3):
        bare, _ = _frames_per_cpu_second(lab, 250_000, bare=1)
        full, counts = _frames_per_cpu_second(
            lab, 250_000, loss=1, burst=3, corrupt=0.1, duplicate=0.1,
            rate_mbit=10000, seed=seed)
        for name in ("lost", "corrupted", "duplicated"):
            assert counts[name] > 25, counts
        shares.append(full / bare)
    assert statistics.median(shares) >= 0.6, shares
