"""What the flow says is TLS, to those who read it."""

import collections
import random
import subprocess

from scapy.layers.inet import TCP
from scapy.utils import rdpcap, wrpcap

from harness import segments as tcp
from harness.capture import Capture
from harness.encrypted_traffic import exemptions, set_bits
from harness.gateway import PORT, client_arguments, server_arguments
from harness.netns import run
from harness.traffic import transfer
from harness.variant import Variant
from harness.wait import wait_until


def _dissect(path, condition, *fields):
    """One list of field values for each frame that tshark finds."""
    command = ["tshark", "-2", "-r", path, "-d", f"tcp.port=={PORT},tls", "-Y",
               condition, "-T", "fields"]
    for field in fields:
        command += ["-e", field]
    text = run(*command, stderr=subprocess.DEVNULL).stdout
    return [line.split("\t") for line in text.splitlines()]


def _malformed(path):
    return _dissect(path, "_ws.malformed || tls.record.length.invalid || "
                    "_ws.expert.severity == error", "frame.number")


def _with_a_broken_hello(path, folder):
    """A capture with one extension's length changed."""
    frames = rdpcap(str(path))
    for frame in frames:
        if frame.haslayer(TCP) and bytes(frame[TCP].payload)[:1] == b"\x16":
            octets = bytearray(bytes(frame[TCP].payload))
            at = octets.index(b"\x00\x0a\x00\x0a\x00\x08")
            octets[at + 2:at + 4] = b"\x7f\xff"
            frame[TCP].remove_payload()
            frame[TCP].add_payload(bytes(octets))
            break
    broken = folder / "broken.pcap"
    wrpcap(str(broken), frames)
    return broken


def test_tshark_dissects_all_of_it_as_tls(topology, start, folder):
    capture = Capture(topology.router, "hub", folder)
    start.pair(topology, Variant("af_packet"),
               flags=("-rekey-records", "2048"))
    hub, client = topology.hub.namespace, topology.client.namespace
    transfer(client, hub, "10.0.0.1", 4 << 20)
    transfer(hub, client, "10.0.0.2", 4 << 20)
    capture.stop()
    flow = f"tcp.port == {PORT}"
    payloads = _dissect(capture.path, f"{flow} && tcp.len > 0",
                        "frame.protocols", "tls.record.content_type",
                        "tcp.reassembled_in", "tls.record.opaque_type")
    assert len(payloads) > 5000
    # The hub's flight begins in one segment and ends in another. A frame that
    # was sent again may be set aside by TCP's dissector.
    odd = [row for row in payloads if ":tls" not in row[0] and not row[2]]
    again = _dissect(capture.path, f"{flow} && (tcp.analysis.retransmission "
                     "|| tcp.analysis.out_of_order)", "frame.number")
    assert len(odd) <= len(again), odd[:5]
    kinds = collections.Counter(
        kind for _, clear, _, sealed in payloads
        for kind in f"{clear},{sealed}".split(",") if kind)
    # Two hellos, two ChangeCipherSpec, application data.
    assert set(kinds) == {"20", "22", "23"}, kinds
    assert kinds["22"] == 2 and kinds["20"] == 2 and kinds["23"] > 5000
    assert _malformed(capture.path) == []
    assert _malformed(_with_a_broken_hello(capture.path, folder))
    hello, = _dissect(capture.path, "tls.handshake.type == 1",
                      "tls.handshake.extensions_server_name",
                      "tls.handshake.extensions_alpn_str",
                      "tls.handshake.extensions_key_share_group",
                      "tls.handshake.extensions.supported_version")
    assert hello[0] == "www.example.com"
    assert hello[1] == "h2,http/1.1"
    assert "29" in hello[2].split(","), hello  # x25519
    assert "0x0304" in hello[3].split(","), hello


def _payloads(capture, to_hub):
    return [s for s in tcp.read(capture.path)
            if s.length and (s.target[1] if to_hub else s.source[1]) == PORT]


def test_first_payload_is_exempt_from_the_rule(topology, start, folder):
    capture = Capture(topology.router, "hub", folder)
    start.pair(topology, Variant("af_packet"))
    capture.stop()
    first = _payloads(capture, True)[0].payload
    assert "TLS" in exemptions(first)
    # Each exemption by itself, and what has none.
    noise = bytes(random.Random(4).randbytes(len(first)))
    assert 3.4 < set_bits(noise) < 4.6
    assert exemptions(noise) == set()
    assert exemptions(b"\x17\x03\x03" + noise) == {"TLS"}
    assert exemptions(b"\x16\x03\x0a" + noise) == set()
    assert exemptions(b"POST " + noise) == {"HTTP"}
    assert exemptions(b"abcdef" + noise) == {"begins printable"}
    assert exemptions(noise + b"\0" + b"a" * 21) == {"printable run"}
    assert exemptions(noise + b"\0" + b"a" * 20) == set()
    assert exemptions(bytes(100)) == {"set bits"}
    assert "half printable" in exemptions(b"\xff\xff" + b"ab\xf0" * 300)


def _records(payload):
    """Type and size of each TLS record."""
    found, at = [], 0
    while at + 5 <= len(payload):
        size = int.from_bytes(payload[at + 3:at + 5], "big")
        found.append((payload[at], size))
        at += 5 + size
    return found


def test_sizes_behind_the_handshake_vary(topology, start, folder):
    capture = Capture(topology.router, "hub", folder)
    hub = start(topology.hub.namespace, server_arguments("10.0.0.1/24"),
                "hub")
    client = start(topology.client.namespace,
                   client_arguments(topology.hub.v4, "10.0.0.2/24"), "client")
    client.wait_up()
    for _ in range(3):
        assert client.stop() == 0
        client.start()
        client.wait_up()
    hub.wait_up()
    wait_until(lambda: topology.client.namespace.ping("10.0.0.1", count=1),
               10, "an answer")
    capture.stop()
    flows = {}
    for segment in tcp.read(capture.path):
        client_port = (segment.source if segment.target[1] == PORT
                       else segment.target)[1]
        side = "client" if segment.target[1] == PORT else "hub"
        flows.setdefault(client_port, {"client": b"", "hub": b""})
        flows[client_port][side] += segment.payload
    assert len(flows) >= 4
    sizes = collections.defaultdict(set)
    for flow in flows.values():
        for side, stream in flow.items():
            data = [size for kind, size in _records(stream) if kind == 23]
            for place, size in enumerate(data[:2 if side == "hub" else 1]):
                sizes[side, place].add(size)
    # The client's answer, the hub's flight and its verdict.
    assert len(sizes) == 3
    assert all(len(seen) > 1 for seen in sizes.values()), sizes
