"""What Prometheus reads of a gateway, and who else may."""

import contextlib
import os
import pathlib
import re
import shutil
import socket

import pytest

from harness.gateway import DAEMON, KEY, server_arguments
from harness.netns import run
from harness.pair import Pair, no_ping_lost
from harness.wait import wait_until

_AT = "127.0.0.1:9464"


def _curl(namespace, path, *words, check=True):
    return namespace.run("curl", "-sS", "-m", "10", *words,
                         f"http://{_AT}{path}", check=check).stdout


def _samples(page):
    """Series -> value."""
    return {series: float(value) for series, value in
            re.findall(r"^([^#\s].*) (\S+)$", page, re.M)}


def _checked(page):
    """promtool has nothing to say about it."""
    done = run("promtool", "check", "metrics", input=page, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    return _samples(page)


def _slow_readers(namespace, count):
    """Each asks, and reads nothing."""

    def connect():
        host, port = _AT.split(":")
        one = socket.create_connection((host, int(port)), 5)
        one.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50)
        return one

    return [namespace.inside(connect) for _ in range(count)]


def test_prometheus_reads_what_lwtctl_shows(topology, start, folder):
    pair = Pair(topology, start, folder, hub={"metrics__listen": f'"{_AT}"'},
                client={"metrics__listen": f'"{_AT}"'})
    hub, client = topology.hub.namespace, topology.client.namespace
    key = pair.client.status()["public_key"]
    assert pair.ping(count=20) == 20
    before = pair.hub.status()
    first = _checked(_curl(hub, "/metrics"))
    after = pair.hub.status()

    def lies_between(series, *path):
        low, high = before, after
        for step in path:
            low, high = low[step], high[step]
        assert low <= first[series] <= high, series

    for name in ("rx_packets", "rx_bytes", "records_opened"):
        lies_between(f'lwt_peer_{name}_total{{peer="{key}"}}', "peers", 0, name)
    for reason in before["drops"]:
        lies_between(f'lwt_drops_total{{reason="{reason}"}}', "drops", reason)
    lies_between("lwt_uplink_rx_missed_total", "counters", "uplink_rx_missed")
    lies_between('lwt_worker_records_opened_total{worker="0"}', "workers", 0,
                 "records_opened")
    assert first[f'lwt_peer_rx_packets_total{{peer="{key}"}}'] >= 20
    assert first[f'lwt_peer_up{{peer="{key}"}}'] == 1
    assert 0 < first[f'lwt_peer_rtt_seconds{{peer="{key}"}}'] < 10
    remote = f'peer="{topology.hub.v4}:9000"'
    assert _checked(_curl(client, "/metrics"))[f"lwt_peer_up{{{remote}}}"] == 1

    # What other programs and browsers find there.
    assert _curl(hub, "/healthz") == "ok\n"
    assert "405" in _curl(hub, "/metrics", "-X", "POST", "-i")
    assert "404" in _curl(hub, "/", "-i")
    assert "421" in _curl(hub, "/metrics", "-i", "-H", "Host: evil.example")
    assert "200 OK" in _curl(hub, "/metrics", "-I")
    assert client.run("curl", "-m", "2", f"http://{topology.hub.v4}:9464/",
                      check=False).returncode == 7
    for gateway in (pair.hub, pair.client):
        assert gateway.stop() == 0
        assert "forbidden system call" not in gateway.log()


def test_who_does_not_read_holds_up_nobody(topology, start, folder):
    pair = Pair(topology, start, folder, hub={"metrics__listen": f'"{_AT}"'})
    hub = topology.hub.namespace
    with contextlib.ExitStack() as readers:
        with no_ping_lost(topology.client.namespace):
            for one in _slow_readers(hub, 20):
                readers.callback(one.close)
            assert pair.hub.status()["peers"][0]["state"] == "up"
            # Those at the limit wait until the silent ones' time is over.
            wait_until(lambda: "lwt_build_info" in _curl(hub, "/metrics",
                                                         check=False), 30,
                       "the next one's turn comes")
    assert pair.ping() == 3


def test_an_ordinary_user_serves_them_at_a_socket(topology, start, folder):
    """setcap; its folder is where the socket goes, which the group reads."""
    program = folder / "lightweight-tunnel"
    shutil.copy(DAEMON, program)
    run("setcap", "cap_net_raw,cap_net_admin=eip", program)
    state = folder / "state"
    state.mkdir(mode=0o700)
    os.chown(state, 65534, 65534)
    folder.chmod(0o755)
    pathlib.Path("/run").chmod(0o755)
    place = state / "metrics.sock"
    hub = start(
        topology.hub.namespace,
        ["--reuid=65534", "--regid=65534", "--clear-groups", program,
         *server_arguments("10.0.0.1/24"), "-state-dir", state,
         "-metrics-listen", place], "hub", own_paths=False, program="setpriv")
    hub.wait_log("ready: ")
    assert place.stat().st_mode & 0o777 == 0o660
    page = run("curl", "-sS", "--unix-socket", place,
               "http://any.name/metrics").stdout
    assert _checked(page)['lwt_peers{state="up"}'] == 0
    assert hub.stop() == 0
    assert "forbidden system call" not in hub.log()
    assert not place.exists()


@pytest.mark.parametrize("words, why", [
    (["-metrics-listen", "0.0.0.0:9464"],
     "is reached by other hosts: take 127.0.0.1 or a socket's path, or allow "
     "it with metrics.allow_remote = true"),
    (["-metrics-listen", "metrics.sock"], "is no place to read metrics at"),
])
def test_a_bad_place_is_wrong_usage(topology, words, why):
    done = topology.hub.namespace.run(DAEMON, "-m", "server", "-t",
                                      "10.0.0.1/24", "-k", KEY, *words,
                                      check=False)
    assert done.returncode == 2, done.stdout
    assert why in done.stdout


def test_other_hosts_read_them_where_that_is_said(topology, start):
    hub = start(topology.hub.namespace, [
        *server_arguments("10.0.0.1/24"), "-metrics-listen", "0.0.0.0:9464",
        "-metrics-allow-remote"
    ], "hub")
    hub.wait_log("metrics are read at 0.0.0.0:9464, by other hosts too")
    page = topology.client.namespace.run(
        "curl", "-sS", "-H", "Host: hub.example",
        f"http://{topology.hub.v4}:9464/metrics").stdout
    assert "lwt_build_info{" in page
