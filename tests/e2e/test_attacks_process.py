"""Attacks on the process: on its memory, its descriptors, its log and its
places, by strangers and by the host it runs on."""

import contextlib
import os
import pathlib
import resource
import signal
import socket
import struct
import subprocess
import time

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from harness import segments
from harness.gateway import DAEMON, PORT, server_arguments
from harness.snapshot import difference, host_snapshot
from harness.trace import SystemCalls
from harness.variant import Variant
from harness.wait import wait_until

_SERVICE_PORT = 8080
_REQUEST = b"GET / HTTP/1.0\r\n\r\n"
_NGINX = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 2048; }}
http {{
  access_log off;
  client_header_timeout 60;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; root {folder}/www; }}
}}
"""


@pytest.fixture
def service(folder):
    """Starts a patient web server on a hub's loopback."""
    with contextlib.ExitStack() as stack:

        def serve(namespace):
            www = folder / "www"
            www.mkdir()
            (www / "index.html").write_text("a web site\n")
            for path in (folder, www):
                path.chmod(0o755)
            config = folder / "nginx.conf"
            config.write_text(_NGINX.format(folder=folder,
                                            port=_SERVICE_PORT))
            server = namespace.popen("nginx", "-c", config, "-p", folder, "-g",
                                     "user root;", stdout=subprocess.DEVNULL)
            stack.callback(server.wait, 10)
            stack.callback(server.terminate)
            wait_until(
                lambda: namespace.output(
                    "ss", "-Hltn", f"sport = :{_SERVICE_PORT}").strip(), 10,
                "nginx listens")

        yield serve


def _hub_with_fallback(topology, start):
    hub = start(topology.hub.namespace, [
        *server_arguments("10.0.0.1/24"), "-fallback",
        f"127.0.0.1:{_SERVICE_PORT}"
    ], "hub")
    hub.wait_log("ready")
    return hub


def _connect(host, address):
    """A TCP connection of a host's kernel to the hub's port."""
    return host.namespace.inside(
        lambda: socket.create_connection((address, PORT), 5))


def _ask(host, address):
    with _connect(host, address) as prober:
        prober.settimeout(15)
        prober.sendall(_REQUEST)
        answer = b""
        while chunk := prober.recv(65536):
            answer += chunk
    return answer


def _rss(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def test_slow_connections_of_one_source_keep_nobody_out(
        make_topology, start, service):
    topology = make_topology(clients=2)
    greedy, other = topology.clients
    service(topology.hub.namespace)
    hub = _hub_with_fallback(topology, start)
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(_connect(greedy, topology.hub.v4))
                for _ in range(300)]
        for prober in slow:
            prober.sendall(b"G")
        # All of them were looked at.
        hub.wait_log("the fallback is full: .* makes room")
        for host in (other, greedy):
            assert b"a web site" in _ask(host, topology.hub.v4)
        # Those that had to go were ended as any server ends a connection, and
        # the newest of the source are still there.
        slow[-1].setblocking(False)
        with pytest.raises(BlockingIOError):
            slow[-1].recv(1)
        slow[0].settimeout(5)
        assert slow[0].recv(1) == b""


class _Stream:
    """A prober whose segments are made by hand, quickly, at an address that
    no kernel has."""

    def __init__(self, topology, number):
        client, router = topology.client, topology.router
        self._own = f"192.168.21.{100 + number}", 20000 + number
        self._hub = topology.hub.v4, PORT
        mac = client.namespace.output("cat", "/sys/class/net/eth0/address")
        leg = client.namespace.label
        target = router.output("cat", f"/sys/class/net/{leg}/address")
        router.ip("neighbour", "replace", self._own[0], "lladdr", mac.strip(),
                  "dev", leg)
        self._link = Ether(src=mac.strip(), dst=target.strip(), type=0x0800)
        self._isn = 1_000_000 * (number + 1)
        self._socket = client.namespace.packet_socket("eth0")

    def close(self):
        self._socket.close()

    def open(self):
        self._send(TCP(flags="S", seq=self._isn, options=[("MSS", 1460)]))
        self._socket.settimeout(5)
        while True:
            found = segments.parse(0, self._socket.recv(65536))
            if found and found.target == self._own and (
                    found.flags & segments.SYN):
                break
        self._ack = (found.seq + 1) % (1 << 32)
        self._send(TCP(flags="A", seq=self._isn + 1, ack=self._ack))
        # No more is read.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)

    def _send(self, tcp, payload=b""):
        tcp.sport, tcp.dport, tcp.window = self._own[1], PORT, 500
        packet = self._link / IP(src=self._own[0], dst=self._hub[0]) / tcp
        self._socket.send(bytes(packet / payload))

    def say(self, offset, size, pieces=1):
        """`pieces` segments of `size` bytes each, from a stream offset on."""
        head = bytearray(
            bytes(self._link / IP(src=self._own[0], dst=self._hub[0]) /
                  TCP(sport=self._own[1], dport=PORT, flags="A", window=500,
                      ack=self._ack, seq=0, chksum=0) / (b"G" * size)))
        start = 14 + 20
        total = sum(struct.unpack(f">{(len(head) - start) // 2}H",
                                  head[start:start + (len(head) - start) //
                                       2 * 2]))
        if len(head) % 2:
            total += head[-1] << 8
        total += sum(struct.unpack(">4H", head[26:34])) + 6 + 20 + size
        for piece in range(pieces):
            seq = (self._isn + 1 + offset + piece * size) % (1 << 32)
            check = total + (seq >> 16) + (seq & 0xffff)
            while check >> 16:
                check = (check & 0xffff) + (check >> 16)
            struct.pack_into(">I", head, start + 4, seq)
            struct.pack_into(">H", head, start + 16, ~check & 0xffff)
            self._socket.send(head)


def _hold_behind_a_hole(topology, hub, numbers, size, total):
    """Memory that the hub took for `total` bytes behind a hole of each of
    these connections, in segments of `size`."""
    before = _rss(hub.pid)
    with contextlib.ExitStack() as stack:
        for number in numbers:
            stream = _Stream(topology, number)
            stack.callback(stream.close)
            stream.open()
            punted = hub.counters()["streams_punted"]
            # No hello: the service is to answer, which waits for more.
            stream.say(0, 1)
            punted += 1
            for at in range(0, total, 350 * size):
                pieces = min(350, (total - at) // size)
                punted += pieces
                # Again what found no room on its way to control.
                wait_until(
                    lambda: hub.counters()["streams_punted"] >= punted or
                    stream.say(2 + at, size, pieces), 10,
                    f"{punted} segments came to the relay")
        return _rss(hub.pid) - before


def test_one_byte_segments_behind_a_hole_cost_their_bytes(
        topology, start, service):
    service(topology.hub.namespace)
    hub = _hub_with_fallback(topology, start)
    octets = 16_000
    _hold_behind_a_hole(topology, hub, range(2), 1000, octets)  # warms up
    control = _hold_behind_a_hole(topology, hub, range(2, 5), 1000, octets)
    attack = _hold_behind_a_hole(topology, hub, range(5, 8), 1, octets)
    # A node for each would be a hundred times their bytes: 5 MB and more.
    assert attack <= max(control, 3 * 128 * 1024) + (1 << 20), (control,
                                                                attack)
    assert b"a web site" in _ask(topology.client, topology.hub.v4)


def test_a_service_that_is_down_is_said(topology, start):
    hub = _hub_with_fallback(topology, start)
    for _ in range(30):
        assert _ask(topology.client, topology.hub.v4) == b""
    hub.wait_log(f"the fallback 127.0.0.1:{_SERVICE_PORT} cannot be reached: "
                 "Connection refused")
    assert hub.log().count("cannot be reached") <= 10


def test_what_strangers_say_does_not_fill_the_log(topology, start):
    hub = start(topology.hub.namespace, server_arguments("10.0.0.1/24"),
                "hub")
    hub.wait_log("ready")
    for _ in range(200):
        assert _ask(topology.client, topology.hub.v4)[:3] == b"\x15\x03\x03"
    lines = [line for line in hub.log().splitlines() if "turned away" in line]
    assert 1 <= len(lines) <= 12, lines


def test_two_gateways_with_one_control_socket(topology, start, folder):
    first = start(topology.hub.namespace, server_arguments("10.0.0.1/24"),
                  "hub")
    first.wait_log("ready")
    # Its own state, address, device and port; the socket is the first one's.
    second = start(topology.hub.namespace, [
        *server_arguments("10.1.0.1/24", port=PORT + 1), "-tun-name", "lwt1",
        "-state-dir", folder / "second", "-control-socket", first.socket
    ], "second", own_paths=False)
    assert second.wait_exit(15) == 1
    assert f"process {first.pid} listens at the control socket" in second.log()
    assert first.status()["mode"] == "server"
    # One of a process that is dead is taken over.
    first.kill()
    second.start()
    second.wait_log("ready")
    assert second.wait_log("ready") and first.status()["mode"] == "server"
    assert second.stop() == 0
    assert not first.socket.exists()


# Each the first call of a step of a start: what it has done on the host by then
# is all that lies before.
_DEATHS = [("mkdir", 3), ("flock", 1), ("mkdir", 4), ("flock", 2),
           ("flock", 3), ("symlink", 1), ("listen", 1), ("rmdir", 1),
           ("mkdir", 11), ("rmdir", 2), ("rmdir", 3), ("epoll_create1", 2)]


def test_a_start_that_is_killed_anywhere_leaves_nothing(topology, start):
    namespace = topology.hub.namespace
    before = host_snapshot([namespace])
    left_something = 0
    for number, (call, when) in enumerate(_DEATHS):
        hub = start(namespace, [
            "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e",
            f"inject={call}:signal=SIGKILL:when={when}", DAEMON,
            *server_arguments("10.0.0.1/24")
        ], f"hub{number}", program="strace")
        assert hub.wait_exit(20) != 0
        assert "ready" not in hub.log(), (call, when)
        wait_until(lambda: "lwt0" not in namespace.ip("link"), 5,
                   "the kernel removes the tunnel device")
        left = difference(before, host_snapshot([namespace]))
        left_something += bool(left)
        cleaned = namespace.run(DAEMON, "-cleanup")
        assert cleaned.returncode == 0, cleaned.stdout
        assert not hub.socket.exists(), (call, when)
        after = difference(before, host_snapshot([namespace]))
        assert not after, (call, when, left, after)
    # They died where there was something to clean.
    assert left_something >= len(_DEATHS) - 1


def test_signals_that_ask_for_nothing_end_nothing(topology, start):
    hub, client = start.pair(topology, Variant())
    for number in (signal.SIGUSR1, signal.SIGUSR1, signal.SIGUSR2,
                   signal.SIGPIPE):
        hub.process.send_signal(number)
    hub.wait_log(f"signal {int(signal.SIGUSR1)} is ignored")
    assert topology.client.namespace.ping("10.0.0.1") == 3
    assert hub.log().count("is ignored") == 1
    # And one that ends it says goodbye.
    hub.process.send_signal(signal.SIGQUIT)
    assert hub.wait_exit(5) == 0
    client.wait_log("the gateway stops")


def _descriptors(pid):
    return [int(entry) for entry in os.listdir(f"/proc/{pid}/fd")]


@pytest.mark.alone
def test_a_hub_without_descriptors_does_not_spin(topology, start, folder):
    hub, _ = start.pair(topology, Variant())
    limit = max(_descriptors(hub.pid)) + 1
    _, hard = resource.prlimit(hub.pid, resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as stack:
        # Every number below the limit is taken.
        free = limit - len(_descriptors(hub.pid))
        resource.prlimit(hub.pid, resource.RLIMIT_NOFILE, (limit, hard))

        def knock():
            caller = stack.enter_context(
                socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            caller.connect(str(hub.socket))
            return caller

        calls = SystemCalls(hub.pid, folder)
        begun = time.monotonic()
        for _ in range(free + 3):
            knock()
        # They say nothing and are let go, one after the other; meanwhile who
        # asks is answered.
        wait_until(hub.status, 20, "lwtctl is answered")
        lasted = time.monotonic() - begun
        accepted = calls.stop().get("accept4", 0)
        # A loop that spins makes 100 000 a second.
        assert accepted <= 100 + 50 * lasted, (accepted, lasted)
        assert topology.client.namespace.ping("10.0.0.1") == 3
    resource.prlimit(hub.pid, resource.RLIMIT_NOFILE, (hard, hard))

