"""The tunnel's outer flow beside a flow of the kernel's own TCP, in one capture
and before the same firewall: nothing tells them apart."""

import collections
import dataclasses
import os
import re
import struct
import subprocess

import pytest
from harness import conntrack
from harness import segments as tcp
from harness.bad_link import BadWire
from harness.capture import Capture
from harness.gateway import PORT
from harness.netns import run
from harness.prober import Prober
from harness.traffic import transfer
from harness.variant import VARIANTS, Variant
from harness.wait import wait_until
from harness.window_rules import OLD_ACK, violations

_CONTROL_PORT = 5555  # of the kernel's own transfer
_PLANTED_PORT = 5556  # of a transfer that must look different


def _control(topology, family, size):
    """The same transfer without a tunnel: kernel TCP on both ends."""
    transfer(topology.client.namespace, topology.hub.namespace,
             topology.hub.outer(family), size)


def _syns(found, port):
    """First SYN and first SYN-ACK of a connection to `port`."""
    syn = next(s for s in found if s.target[1] == port and s.flags == tcp.SYN)
    answer = next(s for s in found
                  if s.source[1] == port and s.flags == tcp.SYN | tcp.ACK)
    return syn, answer


def _look(segment):
    """All of a SYN or SYN-ACK but ISN, ports, timestamp value and ID."""
    timestamps = segment.timestamps
    return {
        "ttl": segment.ttl,
        "dont_fragment": segment.dont_fragment,
        "traffic class": segment.traffic_class,
        "has flow label": segment.flow_label != 0,
        "flags": segment.flags,
        "ack field": segment.flags & tcp.ACK and "set" or segment.ack,
        "signature": segment.signature(),
        "echo": timestamps and bool(timestamps[1]),
        "zero id": segment.ip_id == 0,
        "payload": segment.length,
    }


def _handshakes(topology, start, folder, family=4, flags=()):
    """SYN and SYN-ACK of ours and of the kernel's, each as a pair of both."""
    capture = Capture(topology.router, "hub", folder,
                      "tcp or (ip6 proto 6)")
    _control(topology, family, 1 << 16)
    pair = start.pair(topology, Variant("af_packet"), family=family,
                      flags=flags)
    capture.stop()
    found = tcp.read(capture.path)
    return pair, zip(_syns(found, PORT), _syns(found, _CONTROL_PORT))


# 1064 has segments of 1024 bytes, of which 64 are a window that 16 bits do not
# tell; a jumbo frame's are a few large ones.
@pytest.mark.parametrize("family,mtu", [(4, 1500), (6, 1500), (4, 1064),
                                        (4, 9000), (6, 1280)])
def test_handshake_looks_like_the_kernels(topology, start, folder, family,
                                          mtu):
    label = topology.client.namespace.label
    for namespace, device in ((topology.hub.namespace, "eth0"),
                              (topology.client.namespace, "eth0"),
                              (topology.router, "hub"),
                              (topology.router, label)):
        namespace.ip("link", "set", device, "mtu", mtu)
    _, handshakes = _handshakes(topology, start, folder, family)
    for ours, kernels in handshakes:
        assert _look(ours) == _look(kernels)
        assert ours.mss == mtu - (40 if family == 4 else 60)


@pytest.mark.parametrize("family", [4, 6])
def test_the_other_persona_scales_otherwise(topology, start, folder, family):
    """All but the window scale is the same."""
    release = [int(part) for part in os.uname().release.split(".")[:2]]
    own, other = (("linux-6.18", 10), ("linux-6.1", 7))
    if release < [6, 16]:
        own, other = other, own
    sides, handshakes = _handshakes(topology, start, folder, family,
                                    ("-persona", other[0]))
    for side in sides:
        assert side.status()["uplink"]["persona"] == other[0]
        side.wait_log(f"persona: {other[0]}, as asked")
    for ours, kernels in handshakes:
        assert kernels.scale == own[1] and ours.scale == other[1]
        expected = _look(kernels)
        assert expected["signature"].endswith(f"_{own[1]}")
        expected["signature"] = re.sub(r"_\d+$", f"_{other[1]}",
                                       expected["signature"])
        assert _look(ours) == expected


def _lasts(entry):
    """Whether a line of the connection table will be there for long."""
    timer = int(re.match(r"tcp\s+6\s+(\d+)", entry).group(1))
    return "ESTABLISHED" in entry and "ASSURED" in entry and timer > 300


def test_an_idle_tunnel_keeps_its_place_in_a_firewall(topology, start,
                                                      variant):
    conntrack.watch(topology.router)
    start.pair(topology, variant)

    def all_last():
        found = conntrack.entries(topology.router, PORT)
        return len(found) == variant.workers and all(map(_lasts, found))

    # Data that waits for its delayed ACK keeps the timer at 300 s.
    wait_until(all_last, 2, "the idle flows' entries last")
    # One that never was acknowledged does not.
    prober = Prober(topology)
    prober.talk(PORT).syn()
    wait_until(lambda: not all(map(_lasts, conntrack.entries(
        topology.router, PORT))), 2, "the entry of a lone SYN is told apart")
    prober.close()


def _raw_signatures(path, folder):
    """p0f's raw signature of each connection: (server port, side) -> text."""
    log = folder / "p0f.log"
    run("p0f", "-r", path, "-o", log)
    found = {}
    for line in log.read_text().splitlines():
        fields = dict(part.split("=", 1) for part in
                      line.split("] ", 1)[1].split("|") if "=" in part)
        if "raw_sig" in fields and fields["mod"] in ("syn", "syn+ack"):
            port = int(fields["srv"].rpartition("/")[2])
            found.setdefault((port, fields["mod"]), fields["raw_sig"])
    return found


def test_p0f_cannot_tell_it_from_the_kernel(topology, start, folder):
    capture = Capture(topology.router, "hub", folder)
    # A kernel whose windows scale by another factor is told apart.
    other = topology.client.namespace
    _control(topology, 4, 1 << 16)
    start.pair(topology, Variant("af_packet"))
    other.sysctl(net__ipv4__tcp_rmem="4096 131072 1048576")
    transfer(other, topology.hub.namespace, topology.hub.v4, 1 << 16,
             port=_PLANTED_PORT)
    capture.stop()
    signatures = _raw_signatures(capture.path, folder)
    for side in ("syn", "syn+ack"):
        assert signatures[PORT, side] == signatures[_CONTROL_PORT, side]
    assert signatures[_PLANTED_PORT, "syn"] != signatures[PORT, "syn"]


# Remarks on a connection's begin and end are no finding.
_CHAT = re.compile(r"^Connection |connection closing|FIN")
# Which of these a segment gets hangs on microseconds.
_REPAIR = re.compile(r".*\((suspected|retransmission\?)\).*")


def _expert(path, port):
    """What tshark's experts say of the flow: message -> frames, and the number
    of all frames."""
    listed = run("tshark", "-r", path, "-Y", f"tcp.port == {port}", "-T",
                 "fields", "-e", "_ws.expert.message", "-E",
                 "occurrence=a", "-E", "aggregator=|",
                 stderr=subprocess.DEVNULL).stdout.splitlines()
    told = collections.Counter()
    for line in listed:
        for message in set(line.split("|")):
            kind = _REPAIR.sub("repair", re.sub(r"[#\d]+", "", message).strip())
            if kind and not _CHAT.search(kind):
                told[kind] += 1
    return told, len(listed)


def _conspicuous(path, link, kernels_path):
    """What the experts say of our flow and not, or not half as often, of the
    kernel's."""
    experts, ours = _expert(path, PORT)
    if link == "clean":
        # A worker that waits for its core acknowledges late, and is probed;
        # that the probe was in vain is told by a D-SACK.
        return {kind: count for kind, count in experts.items()
                if kind not in ("repair", "D-SACK Sequence") or count >= 10}
    kernels, control = _expert(kernels_path, _CONTROL_PORT)
    # Up to three more than twice the kernel's rate are chance.
    return {kind: (count, kernels[kind]) for kind, count in experts.items()
            if count > 2 * kernels[kind] * ours / control + 3}


def _with_jumps(path, count):
    """A copy of the capture with `count` segments more at its end, each of
    which jumps ahead of all before it."""
    data = path.read_bytes()
    at, last = 24, None
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at + 8)
        segment = tcp.parse(0, data[at + 16:at + 16 + size])
        if segment and segment.target[1] == PORT and segment.length:
            last = at, size
        at += 16 + size
    begin, size = last
    frame = bytearray(data[begin:begin + 16 + size])
    seq_at = 16 + 14 + 20 + 4
    (seq,) = struct.unpack_from(">I", frame, seq_at)
    planted = path.with_name("planted.pcap")
    with planted.open("wb") as out:
        out.write(data)
        for i in range(count):
            struct.pack_into(">I", frame, seq_at,
                             (seq + (1 << 20) + 70000 * i) % (1 << 32))
            out.write(frame)
    return planted


def _check_rules(flow, ignored):
    """No firewall of before 5.16 would drop a segment of it; two forged ones
    it would."""
    broken = [(segment, what) for segment, what in violations(flow)
              if what not in ignored]
    assert not broken, broken[:3]
    # One in the midst of a connection, not the SYN of the next.
    at = next(i for i in range(len(flow) // 2, len(flow)) if flow[i].length)
    ahead = dataclasses.replace(flow[at], seq=(flow[at].seq + (1 << 29)) %
                                (1 << 32))
    unseen = dataclasses.replace(flow[at], ack=(flow[at].ack + (1 << 29)) %
                                 (1 << 32))
    for forged in (ahead, unseen):
        told = violations([*flow[:at], forged, *flow[at:]])
        assert any(segment is forged for segment, _ in told)


@pytest.fixture
def bad_leg(topology):
    """Between hub and router: frames overtake each other."""
    leg = BadWire(topology.insert_wire(topology.hub), "host", "router",
                  delay_ms=1, reorder=1, seed=3)
    yield leg
    leg.end()


def _capture_bulk(topology, folder, bring_up):
    """Bulk both ways, the kernel's and then ours from its first SYN on, as the
    router sees it."""
    capture = Capture(topology.router, topology.client.namespace.label, folder)
    hub, client = topology.hub.namespace, topology.client.namespace
    transfer(client, hub, topology.hub.v4, 8 << 20, port=_CONTROL_PORT)
    transfer(hub, client, topology.client.v4, 8 << 20, port=_CONTROL_PORT)
    pair = bring_up()
    transfer(client, hub, "10.0.0.1", 8 << 20)
    transfer(hub, client, "10.0.0.2", 8 << 20)
    assert conntrack.invalid(topology.router) == 0
    capture.stop()
    return capture.path, pair


@pytest.mark.alone
@pytest.mark.parametrize("variant", VARIANTS[:2], ids=str)
@pytest.mark.parametrize("link", ["clean", "loss", "reordering"])
def test_bulk_looks_like_the_kernels(topology, start, folder, link, variant,
                                     request):
    if link == "reordering":
        request.getfixturevalue("bad_leg")
    conntrack.watch(topology.router)
    if link == "loss":
        topology.add_loss(10)
    # How often a run repairs scatters: what shows in one and not in the next is
    # chance.
    for last in (False, True):
        path, pair = _capture_bulk(topology, folder,
                                   lambda: start.pair(topology, variant))
        found = tcp.read(path)
        for port in (PORT, _CONTROL_PORT):
            flow = [s for s in found if port in (s.source[1], s.target[1])]
            assert len(flow) > 10000
            # A kernel may refuse a SYN that is before its time, and reset a
            # flow of its own behind whose end something comes late.
            assert port != PORT or not [
                s for s in flow if s.flags & (tcp.RST | tcp.ACK) == tcp.RST]
            # An ACK that others have passed by far is the link's doing: the
            # kernel's own flow has them too.
            _check_rules(flow, (OLD_ACK,) if link == "reordering" else ())
        conspicuous = _conspicuous(path, link, path)
        if link == "clean" or last or not conspicuous:
            break
        for side in pair:
            side.stop()
    assert not conspicuous
    # What was not found would have been.
    planted = _with_jumps(path, 2000)
    assert _conspicuous(planted, link, path)
    client = topology.client.namespace
    with client.popen("ping", "-q", "-c", "100", "-i", "0.02", "10.0.0.1",
                      stdout=subprocess.DEVNULL) as ping:
        conntrack.prove_invalid_is_counted(topology, PORT)
        ping.wait(30)
