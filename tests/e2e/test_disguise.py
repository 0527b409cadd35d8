"""The tunnel's outer flow beside a flow of the kernel's own TCP, in one capture
and before the same firewall: nothing tells them apart."""

import collections
import re
import subprocess

import pytest
from harness import conntrack
from harness import segments as tcp
from harness.bad_link import BadWire
from harness.capture import Capture
from harness.gateway import PORT
from harness.netns import run
from harness.traffic import transfer
from harness.variant import VARIANTS, Variant
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


@pytest.mark.parametrize("family", [4, 6])
def test_handshake_looks_like_the_kernels(topology, start, folder, family):
    capture = Capture(topology.router, "hub", folder,
                      "tcp or (ip6 proto 6)")
    _control(topology, family, 1 << 16)
    start.pair(topology, Variant("af_packet"), family=family)
    capture.stop()
    found = tcp.read(capture.path)
    for ours, kernels in zip(_syns(found, PORT), _syns(found, _CONTROL_PORT)):
        assert _look(ours) == _look(kernels)


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


@pytest.fixture
def bad_leg(topology):
    """Between hub and router: frames overtake each other."""
    leg = BadWire(topology.insert_wire(topology.hub), "host", "router",
                  delay_ms=1, reorder=1, seed=3)
    yield leg
    leg.end()


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
    capture = Capture(topology.router, topology.client.namespace.label, folder)
    hub, client = topology.hub.namespace, topology.client.namespace
    transfer(client, hub, topology.hub.v4, 8 << 20, port=_CONTROL_PORT)
    transfer(hub, client, topology.client.v4, 8 << 20, port=_CONTROL_PORT)
    start.pair(topology, variant)
    transfer(client, hub, "10.0.0.1", 8 << 20)
    transfer(hub, client, "10.0.0.2", 8 << 20)
    assert conntrack.invalid(topology.router) == 0
    capture.stop()
    found = tcp.read(capture.path)
    for port in (PORT, _CONTROL_PORT):
        flow = [s for s in found if port in (s.source[1], s.target[1])]
        assert len(flow) > 10000
        # An ACK that others have passed by far is the link's doing: the
        # kernel's own flow has them too.
        broken = [(segment, what) for segment, what in violations(flow)
                  if link != "reordering" or what != OLD_ACK]
        assert not broken, (port, broken[:3])
    experts, ours = _expert(capture.path, PORT)
    kernels, control = _expert(capture.path, _CONTROL_PORT)
    if link == "clean":
        # A worker that waits for its core acknowledges late, and is probed.
        assert set(experts) <= {"repair"} and experts["repair"] < 10, experts
        return
    for kind, count in experts.items():
        # Up to three more than twice the kernel's rate are chance.
        most = 2 * kernels[kind] * ours / control + 3
        assert count <= most, (kind, experts, kernels)
