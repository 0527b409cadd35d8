"""IPv6 flow labels of the outer flows beside those of the kernel's own TCP.

Linux draws a label for each end of a connection, and another whenever a
retransmission timer runs out, that of a SYN or SYN-ACK included
(net.core.txrehash, which is on); for nothing else that is sent again. One of
6.8 or later also does where it gets bytes again on another label than before,
so of the kernel's own only the end is judged that sends the data."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness import segments as tcp
from harness.capture import Capture
from harness.gateway import PORT
from harness.traffic import transfer
from harness.wait import wait_until

_CONTROL_PORT = 5555
_SIZE = 2 << 20
# What was sent less than this ago is not sent again by a timer: no timeout is
# below 200 ms.
_TIMEOUT = 0.15


def _unexplained(sent):
    """Of what one end sent: zero labels, and new ones where no timeout was."""
    last_sent, found, label = {}, [], sent[0].flow_label
    for segment in sent:
        before = last_sent.get(segment.seq, segment.time)
        changed = segment.flow_label != label
        label = segment.flow_label
        if label == 0 or changed and segment.time - before < _TIMEOUT:
            found.append(segment)
        if segment.end != segment.seq:
            last_sent[segment.seq] = segment.time
    return found


def _ends(captures, port):
    """What each end of each connection to `port` sent, as it came to the
    router and before any was lost: [(by the client, by the server)]."""
    found = [segment for address, capture in captures.items()
             for segment in tcp.read(capture.path)
             if segment.source[0] == address]
    return [([s for s in flow if s.source == client],
             [s for s in flow if s.target == client])
            for client, flow in tcp.flows(found, port).items()]


def _syn_labels(captures, port):
    return [[s.flow_label for s in ours if s.flags == tcp.SYN]
            for ours, _ in _ends(captures, port)]


@pytest.fixture
def beside():
    """A thread that lasts: what it started ends with it."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


def _begin_cut_off(beside, topology, captures, port, begin):
    """Runs begin() where the first SYN of a connection to `port` is lost."""
    topology.cut()
    begun = beside.submit(begin)
    wait_until(lambda: any(len(labels) > 1 for labels in
                           _syn_labels(captures, port)),
               20, "a SYN is sent again")
    topology.heal()
    return begun.result()


def _check_whole_life(sent):
    """From SYN to FIN, all on one label but where a timeout changed it."""
    assert sent[0].flags & tcp.SYN and any(s.flags & tcp.FIN for s in sent)
    assert not _unexplained(sent)
    # What was not found would have been.
    at = next(i for i in range(len(sent) // 2, len(sent))
              if sent[i].seq not in {s.seq for s in sent[:i] if s.length})
    for label in (0, sent[at].flow_label ^ 1):
        planted = dataclasses.replace(sent[at], flow_label=label)
        told = _unexplained([*sent[:at], planted, *sent[at:]])
        assert any(segment is planted for segment in told)


def test_flow_labels_are_those_of_a_kernel(beside, topology, start, folder,
                                           variant):
    hub, client = topology.hub, topology.client
    captures = {host.v6: Capture(topology.router, host.namespace.label,
                                 folder, "ip6 proto 6")
                for host in (client, hub)}

    def kernels(sender, receiver):
        transfer(sender.namespace, receiver.namespace, receiver.v6, _SIZE,
                 port=_CONTROL_PORT)

    _begin_cut_off(beside, topology, captures, _CONTROL_PORT,
                   lambda: kernels(client, hub))
    topology.add_loss(20)
    kernels(hub, client)
    gateways = _begin_cut_off(
        beside, topology, captures, PORT,
        lambda: start.pair(topology, variant, family=6))
    transfer(client.namespace, hub.namespace, "10.0.0.1", _SIZE)
    transfer(hub.namespace, client.namespace, "10.0.0.2", _SIZE)
    for gateway in reversed(gateways):
        gateway.stop()
    for capture in captures.values():
        capture.stop()
    for port, count in ((_CONTROL_PORT, 2), (PORT, variant.workers)):
        ends = [sent for both in _ends(captures, port) for sent in both]
        assert len(ends) == 2 * count
        assert sum(map(len, ends)) > 2 * _SIZE // 1500
        for sent in ends:
            if port == PORT or sum(s.length for s in sent) >= _SIZE:
                _check_whole_life(sent)
        # Each end of each connection has its own, and each SYN.
        assert len({sent[-1].flow_label for sent in ends}) == len(ends)
        assert any(len(set(labels)) == len(labels) > 1
                   for labels in _syn_labels(captures, port))
