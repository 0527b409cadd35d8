"""Who is gone is known for it within seconds, by a hub too; and two hosts with
one key are told apart from one that comes back."""

import contextlib
import errno
import shutil
import signal
import socket
import threading
import time

from harness.gateway import BUILD, DAEMON, client_arguments, server_arguments
from harness.variant import Variant
from harness.wait import wait_until

_CLIENT = "10.0.0.2"
# Silence, three probes and the rounds of looking, on a busy machine.
_SUSPECT_S = 8
_DOWN_S = 14


@contextlib.contextmanager
def _sending(namespace, address):
    """Somebody at the hub has something for the client, all the time."""
    process = namespace.popen("ping", "-q", "-n", "-i", "0.2", address)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


class _Kernel:
    """A connection of the kernels' own that sends all the time, and is to say
    within seconds that nobody is there (RFC 5482)."""

    def __init__(self, server, client, address, port=5577, timeout_s=5):
        listener = client.inside(lambda: socket.create_server((address, port)))
        self._out = server.inside(
            lambda: socket.create_connection((address, port), 10))
        self._out.settimeout(60)
        self._out.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT,
                             timeout_s * 1000)
        with listener:
            self._in, _ = listener.accept()
        self.ended, self.error = None, None
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def _send(self):
        try:
            while True:
                self._out.send(b"x")
                time.sleep(0.2)
        except OSError as error:
            self.error, self.ended = error.errno, time.monotonic()

    def close(self):
        self._out.close()
        self._in.close()
        self._thread.join()


def _state(hub, state, bound_s):
    return hub.wait_status(
        lambda status: status["peers"][0]["state"] == state, bound_s,
        f"its client {state}")["peers"][0]


def test_a_client_that_is_cut_off_is_not_up(topology, start):
    hub, _ = start.pair(topology, Variant())
    kernel = _Kernel(topology.hub.namespace, topology.client.namespace,
                     topology.client.v4)
    with _sending(topology.hub.namespace, _CLIENT):
        assert topology.hub.namespace.ping(_CLIENT) == 3
        since = hub.status()["peers"][0]["last_handshake_s"]
        assert hub.status()["peers"][0]["last_heard_s"] <= 1
        topology.cut()
        began = time.monotonic()
        _state(hub, "suspect", _SUSPECT_S)
        peer = _state(hub, "down", _DOWN_S)
        took = time.monotonic() - began
        assert took < _DOWN_S
        assert abs(peer["last_heard_s"] - took) <= 2
        assert peer["reason"] == "it does not answer; it may come back"
        assert "last heard" in hub.lwtctl("status", check=False).stdout
        # What a kernel finds out by the same traffic.
        wait_until(lambda: kernel.ended, 30, "the kernel's connection ends")
        assert kernel.error == errno.ETIMEDOUT
        assert took < kernel.ended - began + _DOWN_S
        topology.heal()
        peer = _state(hub, "up", 40)
        assert peer["last_handshake_s"] >= since + int(took), "its session"
        assert peer["last_heard_s"] <= 2
    kernel.close()
    assert "client 10.0.0.2 does not answer: " in hub.log()
    assert "client 10.0.0.2 answers again" in hub.log()


def test_a_client_that_was_killed_is_not_up(topology, start):
    """Whatever its host says to the hub's segments: here nothing."""
    hub, client = start.pair(topology, Variant())
    topology.client.namespace.nft(
        "table inet quiet { chain output { type filter hook output priority 0;"
        " tcp flags rst counter drop; }; }")
    with _sending(topology.hub.namespace, _CLIENT):
        client.kill()
        start.gateways.remove(client)
        assert _state(hub, "suspect", _SUSPECT_S)["last_heard_s"] >= 2


def test_two_hosts_with_one_key(make_topology, start):
    """A copied machine: said on both, and each has its turn for seconds."""
    topology = make_topology(clients=2)
    first, copy = (start(host.namespace,
                         client_arguments(topology.hub.v4, f"{_CLIENT}/24"),
                         host.namespace.label) for host in topology.clients)
    copy.wait_log("ready: ")
    copy.kill()
    hub = start(topology.hub.namespace, server_arguments("10.0.0.1/24"), "hub")
    first.wait_up(40)
    shutil.copy(first.state / "static.key", copy.state / "static.key")
    copy.start()
    first.wait_log("another host has this one's static key and took its place "
                   r"\(.*one with the same static key came from "
                   + topology.clients[1].v4)
    assert "delete static.key" in first.status()["peers"][0]["reason"]
    began = time.monotonic()
    hub.wait_log("two hosts have its static key, at ", timeout=30)
    hub.wait_status(
        lambda status: status["peers"][0]["reason"]
        == "another host has its static key, and they take turns", 10, "why")
    ended = time.monotonic()
    # Without the wait of the one that lost: dozens a second.
    ups = hub.log().count(f"client {_CLIENT} up: ")
    assert ups <= 5, (ups, ended - began)
    # One that keeps the key, and one that gets another.
    assert copy.stop() == 0
    (copy.state / "static.key").unlink()
    assert first.running()


def test_a_hub_whose_clock_is_wrong_keeps_who_is_in(make_topology, start):
    """Its clients move; to a handshake the hub would not listen."""
    topology = make_topology(clients=2)
    host, other = (host.namespace for host in topology.clients)
    shim = BUILD / "tests/support/libtsc_reset.so"
    hub = start(topology.hub.namespace,
                [f"LD_PRELOAD={shim}", DAEMON,
                 *server_arguments("10.0.0.1/24")], "hub",
                program="/usr/bin/env")
    client = start(host, client_arguments(topology.hub.v4, f"{_CLIENT}/24"),
                   "client")
    client.wait_up()
    since = time.monotonic() - hub.wait_up()["peers"][0]["last_handshake_s"]
    hub.process.send_signal(signal.SIGURG)
    # The wrong clock is one: a client that comes now is not let in.
    late = start(other, client_arguments(topology.hub.v4, "10.0.0.3/24"),
                 "late")
    hub.wait_log("key good, clock off by -?86[34]")
    assert late.stop() == 0
    elsewhere = topology.client.v4[:-1] + "9"
    host.ip("address", "delete", f"{topology.client.v4}/24", "dev", "eth0")
    host.ip("address", "add", f"{elsewhere}/24", "dev", "eth0")
    host.ip("route", "replace", "default", "via", topology.client.gateway_v4)
    hub.wait_status(
        lambda status: status["peers"][0]["endpoint"].startswith(elsewhere)
        and status["peers"][0]["state"] == "up", 20, "the client elsewhere")
    wait_until(lambda: host.ping("10.0.0.1", 1, timeout=1), 10, "traffic")
    peer = hub.status()["peers"][0]
    assert abs(time.monotonic() - peer["last_handshake_s"] - since) < 3
