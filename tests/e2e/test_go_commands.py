"""The Go program's commands, as its README had them: its users type them here."""

import shlex

from harness.gateway import default_socket
from harness.wait import wait_until

_KEY = '"my-secret-password-2024"'
_HUB = (f"-m server -l 0.0.0.0:9000 -t 10.0.0.1/24 -k {_KEY} -mtu 1400 "
        "-multi-client -max-clients 10 -config-push-interval 3600 "
        "-routes 192.168.77.0/24 -tun-name tun0 -send-queue 10000")
_CLIENTS = (f"-m client -r SERVER:9000 -t 10.0.0.2/24 -k {_KEY} -mtu 1400 "
            "-routes 192.168.1.0/24,192.168.2.0/24",
            f"-m client -r SERVER:9000 -t 10.0.0.3/24 -k {_KEY} "
            "-tun-name tun7 -send-queue 5000")


def _start(start, host, command, address, label):
    side = start(host.namespace, shlex.split(command), label, own_paths=False)
    mode = "server" if label == "hub" else "client"
    side.socket = default_socket(mode, address)
    return side


def test_the_go_programs_commands(make_topology, start):
    topology = make_topology(clients=2)
    # The name is taken: the next one that is free does as well.
    topology.hub.namespace.ip("link", "add", "tun0", "type", "veth", "peer",
                              "name", "far0")
    hub = _start(start, topology.hub, _HUB, "10.0.0.1", "hub")
    hub.wait_up(peers=0)
    hub.wait_log(r"interface named tun0 exists already.* device is tun1")
    assert hub.status()["tunnel"]["device"] == "tun1"
    assert "far0" in topology.hub.namespace.ip("link", "show", "tun0")
    clients = [
        _start(start, host, command.replace("SERVER", topology.hub.v4),
               f"10.0.0.{number + 2}", f"client{number}")
        for number, (host,
                     command) in enumerate(zip(topology.clients, _CLIENTS))
    ]
    for client in clients:
        client.wait_up(timeout=30)
    first, second = (host.namespace for host in topology.clients)
    assert first.ping("10.0.0.1", count=1)
    assert first.ping("10.0.0.3", count=1), "the other client"
    assert second.ping("10.0.0.1", count=1)
    assert "mtu 1400" in first.ip("link", "show", "lwt0")
    assert clients[1].status()["tunnel"]["device"] == "tun7"
    wait_until(
        lambda: "192.168.1.0/24 dev tun1" in topology.hub.namespace.ip(
            "route", "show", "proto", "108"), 15, "a route that was announced")
    wait_until(
        lambda: "192.168.77.0/24 dev tun7" in second.ip(
            "route", "show", "proto", "108"), 15, "and the hub's")
    hub.wait_log(r"lightweight-tunnel \S+: server, TCP in the dress of TLS 1\.3, "
                 r"encryption aes-256-gcm, inner MTU 1400")
    assert "a new shared key" in hub.lwtctl("rotate-key").stdout
    wait_until(lambda: "2 of 2 connected" in hub.lwtctl("rotation").stdout, 20,
               "both clients have the new key")
    for side in (*clients, hub):
        assert side.stop() == 0
