"""All traffic of a client through the tunnel: what goes there, what stays
beside it, and what is left of it."""

import contextlib
import re
import signal

import pytest
from test_host_changes import Provider

from harness.gateway import KEY, PORT
from harness.names import NameServer, resolv_conf
from harness.pair import HUB, Settings, reload
from harness.snapshot import assert_unchanged, host_snapshot
from harness.wait import wait_until

_WEB = {4: "203.0.113.7", 6: "2001:db8:7::7"}  # somewhere behind the router
_NAMES = "203.0.113.53"


class _World:
    """Hub and client with their ways out by one router, behind which there is
    the rest of the world: it counts whose echo requests reach it."""

    def __init__(self, topology):
        self.topology = topology
        self.router = topology.router
        self.client, self.hub = topology.client.namespace, topology.hub.namespace
        for address in (f"{_WEB[4]}/32", f"{_NAMES}/32"):
            self.router.ip("address", "add", address, "dev", "lo")
        self.router.ip("address", "add", f"{_WEB[6]}/128", "dev", "lo",
                       "nodad")
        self.router.nft("""table inet web {
          counter client4 {}
          counter client6 {}
          counter hub4 {}
          counter hub6 {}
          chain input {
            type filter hook input priority 0;
            ip daddr 203.0.113.7 ip saddr 192.168.10.2 counter name hub4
            ip daddr 203.0.113.7 ip saddr != 192.168.10.2 counter name client4
            ip6 daddr 2001:db8:7::7 ip6 saddr fd00:10::2 counter name hub6
            ip6 daddr 2001:db8:7::7 ip6 saddr != fd00:10::2 counter name client6
          }
        }""")
        # What a hub needs for that, as docs/networks.md has it.
        self.hub.sysctl(net__ipv4__ip_forward=1,
                        net__ipv6__conf__all__forwarding=1)
        self.hub.nft("""table inet out {
          chain postrouting {
            type nat hook postrouting priority 100;
            oifname eth0 masquerade
          }
        }""")
        self.names = NameServer(self.router, _NAMES, topology.hub.v4)

    def reaches(self, family=4, count=1):
        return self.client.ping(_WEB[family], count=count)

    def seen(self, who):
        """Packets of the client by itself, or by the hub, out there."""
        text = self.router.output("nft", "list", "counter", "inet", "web", who)
        return int(re.search(r"packets (\d+)", text).group(1))

    @contextlib.contextmanager
    def comes_by(self, who, family=4):
        """What the client sends meanwhile is seen as from there alone."""
        other = "hub" if who == "client" else "client"
        before = self.seen(f"{who}{family}"), self.seen(f"{other}{family}")
        yield
        after = self.seen(f"{who}{family}"), self.seen(f"{other}{family}")
        assert after[0] > before[0] and after[1] == before[1], (before, after)

    @contextlib.contextmanager
    def goes_nowhere(self, family):
        before = [self.seen(f"{who}{family}") for who in ("client", "hub")]
        yield
        assert before == [
            self.seen(f"{who}{family}") for who in ("client", "hub")
        ]

    def by_kernels_alone(self):
        """The control: the same halves by a wire to the hub, without us."""
        for namespace, number in ((self.client, 2), (self.hub, 1)):
            if namespace is self.client:
                namespace.ip("link", "add", "wire", "type", "veth", "peer",
                             "name", "wire", "netns", self.hub.name)
            namespace.ip("address", "add", f"172.30.0.{number}/24", "dev",
                         "wire")
            namespace.ip("link", "set", "wire", "up")
        for half in ("0.0.0.0/1", "128.0.0.0/1"):
            self.client.ip("route", "add", half, "via", "172.30.0.1")
        with self.comes_by("hub"):
            wait_until(self.reaches, 10, "by the wire")
        self.client.ip("link", "delete", "wire")


@pytest.fixture
def world(topology, folder):
    made = _World(topology)
    with resolv_conf(folder / "resolv.conf",
                     f"nameserver {_NAMES}\noptions timeout:2 attempts:1\n"):
        yield made
    made.names.stop()


def _client_file(folder, **more):
    return Settings(
        folder / "client.toml", {
            "mode": '"client"',
            "remote_addr": f'"hub.test:{PORT}"',
            "tunnel_addr": '"10.0.0.2/24"',
            "key": f'"{KEY}"',
            **more
        })


def _start_hub(world, start, folder, tunnel='"10.0.0.1/24"'):
    file = Settings(folder / "hub.toml", {**HUB, "tunnel_addr": tunnel})
    hub = start(world.hub, ["-c", file.path], "hub")
    hub.wait_up(peers=0)
    return hub


def _start_client(world, start, file):
    client = start(world.client, ["-c", file.path], "client")
    client.wait_up(timeout=30)
    return client


def _leads(namespace, family=4):
    return "dev lwt0 proto 108" in namespace.ip(f"-{family}", "route")


def test_all_traffic_goes_through_the_tunnel_and_nothing_is_left(
        world, start, folder):
    second = Provider(world.topology, world.topology.client)
    world.by_kernels_alone()
    with world.comes_by("client"), world.comes_by("client", 6):
        assert world.reaches() == world.reaches(6) == 1
    hub = _start_hub(world, start, folder, '["10.0.0.1/24", "fd11::1/64"]')
    before = host_snapshot([world.client])
    client = _start_client(
        world, start,
        _client_file(folder, tunnel_addr='["10.0.0.2/24", "fd11::2/64"]',
                     default_route="true"))
    for family in (4, 6):
        wait_until(lambda: _leads(world.client, family), 10, "routes are there")
        with world.comes_by("hub", family):
            assert world.reaches(family, count=2) == 2
    assert "through it" in client.lwtctl("status").stdout
    assert world.names.asked, "the hub was found by its name"
    # The uplink follows the host's default route, which nobody else uses.
    second.lead()
    client.wait_status(lambda status: status["uplink"]["device"] == "eth1" and
                       status["peers"][0]["state"] == "up", 20, "up by eth1")
    with world.comes_by("hub"):
        wait_until(world.reaches, 10, "by the other provider")
    # The hub is back; its name could be looked up through it alone.
    hub.kill()
    client.wait_log("next attempt in|lane join failed", timeout=60)
    with world.goes_nowhere(4), world.goes_nowhere(6):
        assert world.reaches() == world.reaches(6) == 0
    hub.start()
    client.wait_up(timeout=60)
    with world.comes_by("hub"):
        wait_until(world.reaches, 10, "with the hub")
    world.client.ip("-4", "route", "replace", "default", "via",
                    world.topology.client.gateway_v4)
    assert client.stop() == 0
    assert_unchanged(before, host_snapshot([world.client]))
    client.start()
    client.wait_up(timeout=30)
    client.kill()
    wait_until(lambda: not _leads(world.client), 10, "the device took them")
    client.start()
    client.wait_up(timeout=30)
    assert client.stop() == 0
    assert_unchanged(before, host_snapshot([world.client]))


def test_a_family_that_the_tunnel_lacks_does_not_leak(world, start, folder):
    hub = _start_hub(world, start, folder)
    file = _client_file(folder)
    client = _start_client(world, start, file)
    for family in (4, 6):
        with world.comes_by("client", family):
            assert world.reaches(family) == 1, "beside the tunnel"
    file.write(default_route="true", default_route_when_down='"release"')
    assert reload(client) == \
        "applied: default_route, default_route_when_down\n"
    wait_until(lambda: _leads(world.client, 6), 10, "it is live")
    with world.comes_by("hub"):
        assert world.reaches() == 1
    with world.goes_nowhere(6):
        done = world.client.run("ping", "-c1", "-W5", _WEB[6], check=False)
        assert "nreachable" in done.stdout, done.stdout
    hub.process.send_signal(signal.SIGSTOP)
    wait_until(lambda: not _leads(world.client), 60, "it is released")
    for family in (4, 6):
        with world.comes_by("client", family):
            assert world.reaches(family) == 1
    hub.process.send_signal(signal.SIGCONT)
    wait_until(lambda: _leads(world.client), 60, "it leads there again")
    with world.comes_by("hub"):
        wait_until(world.reaches, 10, "through the tunnel again")


def test_a_client_may_be_the_hubs_way_out(world, start, folder):
    """By allowed_ips alone: no client can announce it."""
    world.client.sysctl(net__ipv4__ip_forward=1)
    world.client.nft("""table inet out {
      chain postrouting {
        type nat hook postrouting priority 100;
        oifname eth0 masquerade
      }
    }""")
    before = host_snapshot([world.hub])
    file = Settings(folder / "hub.toml", HUB)
    hub = start(world.hub, ["-c", file.path], "hub")
    client = _start_client(world, start, _client_file(folder))
    with world.comes_by("hub"):
        assert world.hub.ping(_WEB[4], count=1) == 1
    key = client.status()["public_key"]
    file.tail = (f'[[peer]]\npublic_key = "{key}"\n'
                 'allowed_ips = ["0.0.0.0/0"]\n')
    file.write()
    assert f"peer {key}: allowed_ips" in reload(hub)
    wait_until(lambda: _leads(world.hub), 10, "the hub's host is led there")
    with world.comes_by("client"):
        wait_until(lambda: world.hub.ping(_WEB[4], count=1), 10, "by the client")
    # The tunnel's own frames go as before, and so does what has a way.
    assert client.status()["peers"][0]["state"] == "up"
    assert world.hub.ping(world.topology.hub.gateway_v4, count=1) == 1
    assert client.stop() == 0
    with world.goes_nowhere(4):
        assert world.hub.ping(_WEB[4], count=1) == 0
    assert hub.stop() == 0
    assert_unchanged(before, host_snapshot([world.hub]))
