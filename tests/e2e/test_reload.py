"""Settings that change while gateways run, by SIGHUP and `lwtctl reload`."""

import concurrent.futures
import contextlib
import pathlib
import re
import signal
import socket
import subprocess
import time

import pytest
from harness.capture import Capture
from harness.gateway import KEY, PORT
from harness.pair import HUB, Pair, no_ping_lost, reload
from harness.traffic import transfer
from harness.wait import wait_until

_REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def _answers(namespace, address):
    wait_until(lambda: namespace.ping(address, count=1, timeout=1) == 1, 15,
               f"{address} answers")


@pytest.fixture
def pair(topology, start, folder):
    return Pair(topology, start, folder)


def test_sighup_and_lwtctl_reload_apply_under_traffic(pair):
    with no_ping_lost(pair.topology.client.namespace):
        pair.hub_file.write(log_level='"debug"', dataplane__workers="3",
                            max_clients="7")
        answer = reload(pair.hub, status=3)
        assert answer == ("applied: max_clients, log_level\n"
                          "waits for a restart: dataplane.workers\n")
        pair.client_file.write(sni='"cdn.example.net"')
        pair.client.process.send_signal(signal.SIGHUP)
        pair.client.wait_log("reload: waits for the next connection: sni")
        # What is in force already is no change; what waits, waits on.
        waits = "waits for a restart: dataplane.workers\n"
        assert reload(pair.hub, status=3) == waits
        pair.hub_file.write(dataplane__workers=None)
        assert reload(pair.hub) == "nothing has changed\n"


def test_a_bad_file_changes_nothing(pair):
    with no_ping_lost(pair.topology.client.namespace):
        good = pair.hub_file.path.read_text()
        for bad, why in (
            ("log_level = \"debug\"\nmtuu = 3\n" + good,
             r"hub\.toml:2:1: unknown key \"mtuu\""),
            ("log_level = \"debug\"\n" + good.replace("10.0.0.1/24", "x"),
             r"hub\.toml:4:15: tunnel_addr: "),
            ("log_level = \"debug\"\n" + good + "remote_addr = \"x:1\"\n",
             "remote_addr is for clients"),
            ("log_level = \"debug\"\n" + good + "[", r"hub\.toml:6:"),
            ("log_level = \"debug\"\n" + good.replace(KEY, "short"),
             "are too few"),
        ):
            pair.hub_file.path.write_text(bad)
            answer = reload(pair.hub, status=1)
            assert re.search(f"^lwtctl: reload: .*{why}.*; the old settings "
                             "stay$", answer, re.MULTILINE), answer
        pair.hub_file.path.unlink()
        pair.hub.process.send_signal(signal.SIGHUP)
        pair.hub.wait_log("reload: .*hub.toml.*; the old settings stay")
        pair.hub_file.write()
        assert reload(pair.hub) == "nothing has changed\n"
    assert " debug " not in pair.hub.log()


def test_a_sighup_while_it_stops_does_nothing(pair):
    """Its hub does not answer the last segments, so that it takes a while."""
    client = pair.client
    pair.topology.cut()
    client.process.send_signal(signal.SIGTERM)
    client.wait_log("stopping on signal")

    def ended():
        client.process.send_signal(signal.SIGHUP)
        return not client.running()

    wait_until(ended, 10, "it ends")
    assert client.process.returncode == 0, client.log()


def test_what_counts_now_has_to_agree_with_what_waits(pair):
    """The new network lies within the old tunnel's, which a restart alone
    would move."""
    pair.client_file.write(tunnel_addr='"10.9.0.2/24"',
                           routes='["10.0.0.128/25"]')
    answer = reload(pair.client, status=1)
    assert "does not agree with what waits for a restart" in answer
    assert "10.0.0.128" not in pair.topology.client.namespace.ip("route")


def test_flags_of_the_start_beat_the_file_again(topology, start, folder):
    pair = Pair(topology, start, folder,
                client_flags=["-log-level", "warn", "-k", KEY])
    pair.client_file.write(log_level='"debug"', key='"another-one-2024"')
    assert reload(pair.client) == "nothing has changed\n"
    assert pair.ping() == 3


# Each key of docs/configuration.md is in one of these, by what a change of it
# is seen to do. A restart alone changes the last ones.


def _log_level(pair, file, gateway):
    file.write(log_level='"debug"')
    assert reload(gateway) == "applied: log_level\n"
    gateway.lwtctl("status")
    file.write(log_level=None)
    assert reload(gateway) == "applied: log_level\n"


def _two_clients(pair, name, one, several):
    """A second client is refused, comes in, and the first stays all along."""
    host = pair.topology.clients[1]
    pair.hub_file.write(**{name: one})
    assert reload(pair.hub) == f"applied: {name}\n"
    second = pair.start(host.namespace, [
        "-m", "client", "-r", f"{pair.topology.hub.v4}:{PORT}", "-t",
        "10.0.0.3/24", "-k", KEY
    ], f"second-{name}")
    second.wait_log("(?i)refused")
    pair.hub_file.write(**{name: several})
    assert reload(pair.hub) == f"applied: {name}\n"
    second.wait_up()
    pair.hub.wait_up(peers=2)
    # Fewer than there are: none is sent away.
    pair.hub_file.write(**{name: one})
    reload(pair.hub)
    assert host.namespace.ping("10.0.0.1") == 3
    pair.hub_file.write(**{name: several})
    reload(pair.hub)
    assert second.stop() == 0
    pair.hub.wait_up(peers=1)


def _multi_client(pair):
    _two_clients(pair, "multi_client", "false", None)


def _max_clients(pair):
    _two_clients(pair, "max_clients", "1", "2")
    pair.hub_file.write(max_clients="101")
    assert reload(pair.hub, status=3) == "waits for a restart: max_clients\n"
    pair.hub_file.write(max_clients=None)
    assert reload(pair.hub) == "applied: max_clients\n"


def _stranger_meets(pair, greeting):
    def call():
        with socket.create_connection((pair.topology.hub.v4, PORT), 5) as one:
            one.sendall(b"GET / HTTP/1.0\r\n\r\n")
            one.settimeout(5)
            return one.recv(100)

    wait_until(lambda: pair.topology.client.namespace.inside(call) == greeting,
               10, f"a stranger meets {greeting}")


def _fallback(pair):
    alert = bytes.fromhex("15030300020228")
    _stranger_meets(pair, alert)
    namespace = pair.topology.hub.namespace
    service = namespace.inside(lambda: socket.create_server(("127.0.0.1",
                                                             8443)))
    with service, concurrent.futures.ThreadPoolExecutor(1) as pool:
        def serve():
            with contextlib.suppress(OSError):
                while True:
                    with service.accept()[0] as one:
                        one.recv(100)
                        one.sendall(b"a web site")

        pool.submit(serve)
        pair.hub_file.write(fallback='"127.0.0.1:8443"')
        assert reload(pair.hub) == "applied: fallback\n"
        _stranger_meets(pair, b"a web site")
        # Nobody meets the service of before while the new one's name is not
        # known.
        pair.hub_file.write(fallback='"nobody.invalid:8443"')
        assert reload(pair.hub) == "applied: fallback\n"
        _stranger_meets(pair, alert)
        pair.hub_file.write(fallback=None)
        assert reload(pair.hub) == "applied: fallback\n"
        _stranger_meets(pair, alert)
        service.shutdown(socket.SHUT_RDWR)


def _peers(pair):
    """A network behind the client, and none any more."""
    hub, client = (pair.topology.hub.namespace, pair.topology.client.namespace)
    client.ip("address", "add", "192.168.77.1/32", "dev", "lo")
    key = pair.client.status()["public_key"]
    pair.hub_file.tail = (f'[[peer]]\npublic_key = "{key}"\n'
                          'allowed_ips = ["192.168.77.0/24"]\n')
    pair.hub_file.write()
    assert reload(pair.hub) == (f"applied: peer {key}: public_key, "
                                 f"peer {key}: allowed_ips\n")
    _answers(hub, "192.168.77.1")
    assert "192.168.77.0/24 dev lwt0" in hub.ip("route")
    pair.hub_file.tail = ""
    pair.hub_file.write()
    reload(pair.hub)
    assert "192.168.77" not in hub.ip("route")


def _sent_code(gateway):
    lane = gateway.status()["peers"][0]["lane_list"][0]
    return lane["fec_tx_data"], lane["fec_tx_parity"]


def _fec(pair, file, gateway):
    for change, code in (({"fec": '"4:2"'}, (4, 2)),
                         ({"fec": None, "fec_data": "6"}, (6, 3)),
                         ({"fec_parity": "1"}, (6, 1)),
                         ({"fec": '"off"'}, (0, 0)),
                         ({"fec": None, "fec_data": None, "fec_parity": None},
                          (0, 0))):
        file.write(**change)
        assert reload(gateway).startswith("applied: fec")
        wait_until(lambda code=code: _sent_code(gateway) == code, 5,
                   f"{gateway.label} sends {code}")
    file.write(fec_flush_us="500", fec_interleave_us="0")
    assert reload(gateway) == "applied: fec_flush_us, fec_interleave_us\n"
    file.write(fec_flush_us=None, fec_interleave_us=None)
    reload(gateway)


def _epoch(gateway):
    return gateway.status()["peers"][0]["epoch"]


def _rekey(pair, file, gateway):
    before = _epoch(gateway)
    file.write(dataplane__rekey_records="1024")
    assert reload(gateway) == "applied: dataplane.rekey_records\n"
    ping = pair.topology.client.namespace.popen(
        "ping", "-q", "-i", "0.002", "10.0.0.1", stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: _epoch(gateway) > before, 30,
                   "keys are renewed by records")
    finally:
        ping.kill()
        ping.wait()
    file.write(dataplane__rekey_records=None)
    reload(gateway)


def _rekey_seconds(pair):
    before = _epoch(pair.client)
    pair.client_file.write(dataplane__rekey_seconds="5")
    assert reload(pair.client) == "applied: dataplane.rekey_seconds\n"
    wait_until(lambda: _epoch(pair.client) > before, 20,
               "keys are renewed by time")
    pair.client_file.write(dataplane__rekey_seconds=None)
    reload(pair.client)


def _routes(pair):
    """Networks behind the client, which the hub's kernel leads to it."""
    hub, client = (pair.topology.hub.namespace, pair.topology.client.namespace)
    client.ip("address", "add", "192.168.78.1/32", "dev", "lo")
    pair.client_file.write(routes='["192.168.78.0/24", "fd78::/64"]')
    assert reload(pair.client) == "applied: routes\n"

    def leads(network, family=4):
        return f"{network} dev lwt0" in hub.ip(f"-{family}", "route")

    wait_until(lambda: leads("192.168.78.0/24"), 5, "it is announced")
    _answers(hub, "192.168.78.1")
    pair.client_file.write(routes='["fd78::/64"]')
    reload(pair.client)
    wait_until(lambda: not leads("192.168.78.0/24"), 5, "it is withdrawn")
    assert leads("fd78::/64", 6)
    pair.hub_file.write(accept_routes='"off"')
    assert reload(pair.hub) == "applied: accept_routes\n"
    wait_until(lambda: not leads("fd78::/64", 6), 5, "it is refused")
    pair.hub_file.write(accept_routes=None)
    reload(pair.hub)
    pair.client_file.write(routes=None)
    reload(pair.client)
    wait_until(lambda: not leads("fd78::/64", 6), 5, "all is withdrawn")


def _reconnect(pair):
    before = pair.client.log().count("tunnel up")
    pair.hub.kill()
    pair.hub.start()
    wait_until(lambda: pair.client.log().count("tunnel up") > before, 60,
               "the client is back")
    pair.client.wait_up()


def _sni_and_remote(pair, folder):
    capture = Capture(pair.topology.router, "hub", folder)
    pair.client_file.write(sni='"cdn.example.net"',
                           remote_addr=f'"[{pair.topology.hub.v6}]:{PORT}"')
    assert reload(pair.client) == (
        "waits for the next connection: remote_addr, sni\n")
    assert pair.ping() == 3
    peer = pair.client.status()["peers"][0]
    assert peer["endpoint"] == f"{pair.topology.hub.v4}:{PORT}"
    _reconnect(pair)
    peer = pair.client.status()["peers"][0]
    assert peer["endpoint"] == f"[{pair.topology.hub.v6}]:{PORT}"
    capture.stop()
    names = capture.fields("tls.handshake.extensions_server_name",
                           condition="tls.handshake.type == 1")
    assert ["cdn.example.net"] in names


def _mtu(pair):
    pair.client_file.write(mtu="1300")
    assert reload(pair.client) == "waits for the next connection: mtu\n"
    assert pair.client.status()["peers"][0]["mtu"] > 1300
    _reconnect(pair)
    pair.client.wait_status(
        lambda status: status["peers"][0]["mtu"] == 1300 ==
        status["tunnel"]["mtu"], 10, "the new MTU, and the device's")


def _server_public_key(pair):
    right = pair.hub.status()["public_key"]
    wrong = "vD1t5yk9uMJvVJdTgNVbLRRfAMO3WlMKqkjXQUUuNWc="
    pair.client_file.write(server_public_key=f'"{wrong}"')
    assert reload(pair.client) == (
        "waits for the next connection: server_public_key\n")
    assert pair.ping() == 3
    pair.hub.kill()
    pair.hub.start()
    # A client that nothing is sent to misses its hub after 20 to 26 s.
    pair.client.wait_log(f"the hub's public key is {re.escape(right)}, not",
                         timeout=60)
    # It is tried again at once, not when the back-off is over.
    pair.client_file.write(server_public_key=f'"{right}"')
    reload(pair.client)
    pair.client.wait_up(timeout=60)


def test_what_counts_at_once_on_a_hub(make_topology, start, folder):
    pair = Pair(make_topology(clients=2), start, folder)
    pair.start = start
    with no_ping_lost(pair.topology.client.namespace):
        _log_level(pair, pair.hub_file, pair.hub)
        _multi_client(pair)
        _max_clients(pair)
        _fallback(pair)
        _peers(pair)
        _fec(pair, pair.hub_file, pair.hub)
        _rekey(pair, pair.hub_file, pair.hub)


def _seconds(pair):
    before = time.monotonic()
    transfer(pair.topology.client.namespace, pair.topology.hub.namespace,
             "10.0.0.1", 400_000)
    return time.monotonic() - before


def _rates(pair):
    """A transfer of 3.2 Mbit, by each of them and without."""
    free = _seconds(pair)
    for file, gateway, key in ((pair.client_file, pair.client, "rate"),
                               (pair.client_file, pair.client, "uplink__rate"),
                               (pair.hub_file, pair.hub, "rate_in")):
        file.write(**{key: '"1M"'})
        name = key.replace("__", ".")
        assert reload(gateway) == f"applied: {name}\n"
        assert _seconds(pair) > free + 2, key
        file.write(**{key: None})
        reload(gateway)


def test_what_counts_at_once_on_a_client(pair):
    with no_ping_lost(pair.topology.client.namespace):
        _rates(pair)
        _log_level(pair, pair.client_file, pair.client)
        _routes(pair)
        _fec(pair, pair.client_file, pair.client)
        _rekey(pair, pair.client_file, pair.client)
        _rekey_seconds(pair)


def test_what_the_next_connection_uses(topology, start, folder):
    pair = Pair(topology, start, folder, hub={"local_addr": f'"[::]:{PORT}"'})
    _sni_and_remote(pair, folder)
    _mtu(pair)
    _server_public_key(pair)


_SEEN = {
    "nothing": {
        "log_level", "multi_client", "fallback", "peer.public_key",
        "peer.allowed_ips", "peer.name", "peer.addresses", "peer.isolated",
        "peer.fec", "peer.rate", "peer.rate_in",  # test_rate.py
        "client_isolation", "address_pool", "routes", "accept_routes",
        "default_route", "default_route_when_down",  # test_default_route.py
        "enable_nat_detection",  # test_nat.py
        "dns", "dns_search", "accept_dns",  # test_names.py
        "fec", "fec_data", "fec_parity",
        "fec_flush_us", "fec_interleave_us", "dataplane.rekey_records",
        "dataplane.rekey_seconds", "key_grace", "rate", "rate_in",
        "uplink.rate", "config_push_interval"  # test_rotation.py
    },
    "nothing; above that of the start: restart": {"max_clients"},
    "next connection": {
        "remote_addr", "sni", "mtu", "server_public_key", "key", "key_file",
        "hub.address", "hub.public_key"  # test_hubs.py
    },
}
# A value of each that waits for a restart, by side.
_RESTART_HUB = {
    "local_addr": '"0.0.0.0:9001"',
    "tunnel_addr": '"10.0.0.1/25"',
    "tun_name": '"vpn7"',
    "persona": '"linux-6.1"',
    "network": '"office"',
    "multicast": '"hub"',
    "stun": '"open"',
    "lan_port": '"eth7"',
    "send_queue": "4000",
    "state_dir": '"/tmp/elsewhere"',
    "control_socket": '"/tmp/elsewhere.sock"',
    "uplink.driver": '"af_xdp"',
    "uplink.interface": '"eth7"',
    "uplink.super_frames": "false",
    "dataplane.tunnel_port": '"tap"',
    "dataplane.workers": "2",
    "dataplane.pinning": '"on"',
    "dataplane.memory": '"no-huge"',
    "dataplane.idle": '"busy"',
    "dataplane.retransmit": "false",
    "dataplane.arena_mib": "7",
    "metrics.listen": '"127.0.0.1:9464"',
    "metrics.allow_remote": "true",
}
# These change others with them.
_RESTART_TOGETHER = {"mode", "encryption", "lan_addr"}


def test_every_key_of_the_page_is_seen_to_do_what_the_page_says():
    page = (_REPOSITORY / "docs" / "configuration.md").read_text()
    waits = {}
    for row in page.splitlines():
        cells = row.split(" | ")
        if len(cells) == 7 and row.startswith("| `"):
            waits.setdefault(cells[5], set()).add(
                cells[0].removeprefix("| ").strip("`"))
    assert waits == {**_SEEN,
                     "restart": set(_RESTART_HUB) | _RESTART_TOGETHER}


def test_what_waits_for_a_restart_changes_nothing(topology, start, folder):
    pair = Pair(topology, start, folder)
    paths = {"state_dir", "control_socket"}  # given by flags here
    before = pair.hub.status()
    with no_ping_lost(pair.topology.client.namespace):
        for key, value in _RESTART_HUB.items():
            name = key.replace(".", "__")
            pair.hub_file.write(**{name: value})
            expected = (f"waits for a restart: {key}\n"
                        if key not in paths else "nothing has changed\n")
            assert reload(pair.hub, status=0 if key in paths else
                           3) == expected
            pair.hub_file.write(**{name: HUB.get(key)})
        for changes, waiting in (
            ({"encryption": '"none"', "key": None}, "encryption"),
            ({"lan_port": '"memif:/run/x"', "lan_addr": '"192.168.9.1/24"'},
             "lan_port, lan_addr"),
        ):
            pair.hub_file.write(**HUB, encryption=None, lan_port=None)
            pair.hub_file.write(**changes)
            answer = reload(pair.hub, status=3)
            assert answer == f"waits for a restart: {waiting}\n"
        pair.client_file.write(mode='"server"', remote_addr=None,
                               local_addr='"0.0.0.0:9000"')
        assert reload(pair.client, status=3) == "waits for a restart: mode\n"
    after = pair.hub.status()
    assert after["uplink"]["driver"] == before["uplink"]["driver"]
    assert len(after["workers"]) == len(before["workers"])


_NEW_KEY = "another-secret-password-2025"


def _second_client(pair, start, label, key):
    host = pair.topology.clients[1]
    return start(host.namespace, [
        "-m", "client", "-r", f"{pair.topology.hub.v4}:{PORT}", "-t",
        "10.0.0.3/24", "-k", key
    ], label)


def test_a_new_key_under_traffic(make_topology, start, folder):
    """Changed at the hub first: who is there loses nothing, and who has the key
    before comes in until key_grace is over."""
    pair = Pair(make_topology(clients=2), start, folder)
    with no_ping_lost(pair.topology.client.namespace):
        pair.hub_file.write(key=f'"{_NEW_KEY}"')
        assert reload(pair.hub) == "waits for the next connection: key\n"
        assert reload(pair.hub) == "nothing has changed\n"
        old = _second_client(pair, start, "old", KEY)
        old.wait_up()
        pair.hub.wait_log("by a shared key of before")
        old.stop()
        pair.hub.wait_up(peers=1)
        new = _second_client(pair, start, "new", _NEW_KEY)
        new.wait_up()
        new.stop()
        pair.hub.wait_up(peers=1)
        # The client gets it by a file, and goes on too.
        key_file = folder / "key"
        key_file.write_text(_NEW_KEY + "\n")
        key_file.chmod(0o600)
        pair.client_file.write(key=None, key_file=f'"{key_file}"')
        assert reload(pair.client) == (
            "waits for the next connection: key, key_file\n")
        # From now on it is too late for others.
        pair.hub_file.write(key_grace="0")
        assert reload(pair.hub) == "applied: key_grace\n"
        pair.hub.wait_log("a shared key of before is not taken any more")
        late = _second_client(pair, start, "late", KEY)
        late.wait_log("(?i)wrong key, or clocks differ")
        late.stop()
    _reconnect(pair)
    assert pair.ping() == 3


def test_a_new_key_at_the_client_first(topology, start, folder):
    pair = Pair(topology, start, folder)
    with no_ping_lost(topology.client.namespace):
        pair.client_file.write(key=f'"{_NEW_KEY}"')
        reload(pair.client)
    _reconnect(pair)
    pair.client.wait_log("tunnel up.*by a shared key of before")
    with no_ping_lost(topology.client.namespace):
        pair.hub_file.write(key=f'"{_NEW_KEY}"', key_grace="0")
        assert reload(pair.hub) == (
            "applied: key_grace\nwaits for the next connection: key\n")
    _reconnect(pair)
    assert pair.ping() == 3
