"""A network of sites: hosts behind a hub and behind its clients reach each
other by what is announced, forwarded by the kernels of the gateways."""

import re

import pytest

from harness.gateway import DAEMON, client_arguments, server_arguments
from harness.lan import Lan
from harness.netns import run
from harness.snapshot import assert_unchanged, host_snapshot
from harness.traffic import transfer
from harness.variant import Variant
from harness.wait import wait_until

_HUB = "10.0.0.1/24,fd11::1/64"


class _Sites:
    """The hub's LAN is number 1, those of its clients are 2 and 3. Each
    gateway's kernel forwards; no host has a route but to its gateway."""

    def __init__(self, topology):
        self.topology = topology
        self.gateways = [host.namespace for host in topology.hosts]
        self.lans = [
            Lan(gateway, number + 1)
            for number, gateway in enumerate(self.gateways)
        ]
        for gateway in self.gateways:
            gateway.sysctl(net__ipv4__ip_forward=1,
                           net__ipv6__conf__all__forwarding=1)
            gateway.run("nft", "delete", "table", "inet", "seen")

    def delete(self):
        for lan in self.lans:
            lan.delete()

    def namespaces(self):
        return self.gateways

    def start_all(self, start, variant):
        """The hub, then its clients."""
        hub = start(self.gateways[0], [
            *server_arguments(_HUB, variant), "-routes", self.lans[0].networks
        ], "hub")
        hub.wait_up(peers=0)
        return [hub] + [self.start_client(start, variant, n) for n in (1, 2)]

    def start_client(self, start, variant, number, networks=None):
        return start(self.gateways[number], [
            *client_arguments(self.topology.hub.v4,
                              f"10.0.0.{number + 1}/24,fd11::{number + 1}/64",
                              variant), "-routes", networks or
            self.lans[number].networks
        ], f"client{number}")

    def reaches(self, source, target, family=4, count=1):
        """How many of the pings between two LANs' hosts are answered."""
        return self.lans[source].host.ping(self.lans[target].address(family),
                                           count=count, timeout=2)

    def wait_reach(self, source, target):
        for family in (4, 6):
            wait_until(lambda: self.reaches(source, target, family), 30,
                       f"LAN {source + 1} reaches {target + 1}")

    def route_by_kernel(self, verb):
        """The same by kernels alone, without a tunnel: the control."""
        hosts = self.topology.hosts
        for lan, host in zip(self.lans, hosts):
            for network, via in zip(lan.networks.split(","),
                                    (host.v4, host.v6)):
                self.topology.router.ip("route", verb, network, "via", via)


@pytest.fixture
def sites(make_topology):
    made = _Sites(make_topology(clients=2))
    yield made
    made.delete()


def _routes(namespace, family=4):
    return namespace.ip(f"-{family}", "route", "show", "proto", "108")


def _peer_routes(gateway):
    """By network and whose it is: state and code."""
    return {
        (route["network"], route["of"]): (route["state"], route["code"])
        for peer in gateway.status()["peers"] for route in peer["routes"]
    }


def _count_sources(lan, address, family):
    """Counts the echo requests that come to a host from that very address."""
    word, echo = ("ip", "icmp") if family == 4 else ("ip6", "icmpv6")
    lan.host.nft(f"""table inet source{family} {{
      counter echoes {{}}
      chain input {{
        type filter hook input priority 0;
        {word} saddr {address} {echo} type echo-request counter name echoes
      }}
    }}""")


def _counted(lan, family):
    text = lan.host.output("nft", "list", "counters", "table", "inet",
                           f"source{family}")
    return int(re.search(r"packets (\d+)", text).group(1))


def test_three_sites_reach_each_other_without_nat(sites, start):
    variant = Variant(workers=2)
    sites.route_by_kernel("add")
    assert sites.reaches(1, 2), "the control: kernels alone"
    sites.route_by_kernel("del")
    assert not sites.reaches(1, 2), "the control: no way without the tunnel"
    before = host_snapshot(sites.namespaces())
    hub, second, third = sites.start_all(start, variant)
    for client in (second, third):
        client.wait_up(timeout=30)
    for source, target in ((1, 2), (2, 1), (0, 1), (2, 0)):
        sites.wait_reach(source, target)
    for gateway in (hub, second, third):
        variant.assert_ran(gateway)
    for family in (4, 6):
        _count_sources(sites.lans[2], sites.lans[1].address(family), family)
        assert sites.reaches(1, 2, family, count=3) == 3
        assert _counted(sites.lans[2], family) == 3, "as the host sent them"
        transfer(sites.lans[1].host, sites.lans[2].host,
                 sites.lans[2].address(family), 4 << 20)
    assert "10.3.0.0/24 dev lwt0" in _routes(sites.gateways[1])
    assert "fd00:13::/64 dev lwt0" in _routes(sites.gateways[1], 6)
    assert "10.2.0.0/24" not in _routes(sites.gateways[1]), "its own"
    assert re.search(r"10\.3\.0\.0/24 +10\.0\.0\.3.* accepted",
                     hub.lwtctl("routes").stdout)
    # Who forges the source of another site is not let in.
    forger = sites.gateways[1]
    forger.ip("address", "add", "10.3.0.99/32", "dev", "lo")
    dropped = hub.drops()["inner_source"]
    forger.run("ping", "-c1", "-W1", "-I", "10.3.0.99", "10.0.0.1",
               check=False)
    wait_until(lambda: hub.drops()["inner_source"] > dropped, 5,
               "it is dropped at the hub")
    forger.ip("address", "delete", "10.3.0.99/32", "dev", "lo")
    # One is killed: the others keep on, and nothing for it goes elsewhere.
    third.kill()
    assert sites.gateways[0].ping("10.3.0.2", count=2) == 0
    assert "dev lwt0" in sites.gateways[0].ip("route", "get", "10.3.0.2")
    sites.wait_reach(0, 1)
    third.start()
    sites.wait_reach(1, 2)
    # One leaves: its networks go from the others, which keep on.
    assert third.stop() == 0
    wait_until(lambda: "10.3.0.0/24" not in _routes(sites.gateways[1]), 10,
               "the network of who left is withdrawn")
    assert "10.1.0.0/24" in _routes(sites.gateways[1])
    sites.wait_reach(0, 1)
    # After kill -9 and another start, as after SIGTERM, all is as before.
    second.kill()
    second.start()
    sites.wait_reach(0, 1)
    for gateway in (second, hub):
        assert gateway.stop() == 0
    assert_unchanged(before, host_snapshot(sites.namespaces()))


def test_a_route_of_the_host_is_left_alone(sites, start):
    """It counts before ours, which is said, now and at each reload."""
    variant = Variant()
    gateway = sites.gateways[0]
    by_hand = ("10.2.0.0/24", "via", sites.topology.hub.gateway_v4)
    gateway.ip("route", "add", *by_hand)
    hub = start(gateway, server_arguments(_HUB, variant), "hub")
    hub.wait_up(peers=0)
    client = sites.start_client(start, variant, 1)
    refused = "another route leads to 10.2.0.0/24"
    client.wait_up(timeout=30)
    hub.wait_log(refused)
    answer = hub.lwtctl("reload", check=False)
    assert f"not done: {refused}" in answer.stdout
    assert "via" in gateway.ip("route", "get", "10.2.0.2")
    # Ours is there when it goes, and goes without it.
    gateway.ip("route", "delete", *by_hand)
    assert "dev lwt0" in gateway.ip("route", "get", "10.2.0.2")
    gateway.ip("route", "add", *by_hand)
    for side in (client, hub):
        assert side.stop() == 0
    assert "10.2.0.0/24 via" in gateway.ip("route")


def test_what_is_not_accepted_is_said_at_both_ends(sites, start):
    """The other refusals are of networks that a client of ours does not
    announce: unit-control-session."""
    variant = Variant()
    hub, second, third = sites.start_all(start, variant)
    third.wait_up(timeout=30)
    second.wait_up(timeout=30)
    third.stop()
    many = [f"10.40.{n}.0/24" for n in range(29)]
    refused = {
        "10.1.0.128/25": 4,  # within the hub's LAN
        "192.168.21.0/24": 3,  # where the other client is
        "10.2.0.128/25": 5,  # within the other client's
        "198.51.100.0/24": 6,
        "10.40.28.0/24": 7,  # the 33rd
    }
    networks = [*list(refused)[:4], *many]
    hostile = sites.start_client(start, variant, 2, ",".join(networks))
    hostile.wait_up(timeout=30)
    wait_until(
        lambda: _peer_routes(hostile).get(
            ("10.40.28.0/24", "us"), ("sent",))[0] != "sent", 15,
        "the hub has answered")
    for network in networks:
        code = refused.get(network, 0)
        expected = ("refused" if code else "accepted", code)
        assert _peer_routes(hostile)[network, "us"] == expected
        assert _peer_routes(hub)[network, "peer"] == expected
    hub.wait_log(r"10\.2\.0\.128/25 is not accepted: it belongs to another")
    hostile.wait_log(r"10\.2\.0\.128/25 was not accepted by the hub: it "
                     "belongs to another client")
    assert "10.2.0.128/25" not in sites.gateways[0].ip("route")
    sites.wait_reach(0, 1)
    assert "198.51.100.0" not in _routes(sites.gateways[1])
    assert "refused by hub" in hostile.lwtctl("routes").stdout
    second.wait_up()


def _public_key_of(gateway):
    return run(DAEMON, "pubkey", "-state-dir", gateway.state).stdout.strip()


def test_clients_that_are_kept_from_each_other(sites, start, folder):
    """With kernels that forward, and networks behind the clients; settled by
    reloads while all are up."""
    variant = Variant()
    settings = folder / "hub.toml"
    settings.write_text("")
    hub = start(sites.gateways[0], [
        "-c", settings, *server_arguments(_HUB, variant), "-routes",
        sites.lans[0].networks
    ], "hub")
    hub.wait_up(peers=0)
    second, third = [sites.start_client(start, variant, n) for n in (1, 2)]
    for client in (second, third):
        client.wait_up(timeout=30)
    sites.wait_reach(1, 2)

    def isolate(text):
        settings.write_text(text)
        hub.lwtctl("reload")

    def assert_kept_apart():
        wait_until(lambda: not sites.reaches(1, 2), 10, "it is isolated")
        dropped = hub.drops()["isolated"]
        for source, target in ((1, 2), (2, 1)):
            for family in (4, 6):
                assert not sites.reaches(source, target, family)
        for source, target in ((1, "10.0.0.3"), (2, "10.0.0.2")):
            said = sites.gateways[source].run("ping", "-c1", "-W2", target,
                                              check=False).stdout
            assert "Packet filtered" in said, said
        assert not sites.gateways[1].ping("fd11::3", count=1)
        assert hub.drops()["isolated"] >= dropped + 3
        for source, target in ((0, 1), (1, 0), (0, 2), (2, 0)):
            sites.wait_reach(source, target)
        wait_until(lambda: "10.3.0.0/24" not in _routes(sites.gateways[1]), 10,
                   "nor is it told of what lies behind the other")
        assert "10.1.0.0/24" in _routes(sites.gateways[1])

    isolate("client_isolation = true\n")
    assert_kept_apart()
    isolate("")
    sites.wait_reach(1, 2)
    entry = f"""
[[peer]]
public_key = "{_public_key_of(second)}"
name = "branch"
"""
    isolate(entry + "isolated = true\n")
    assert_kept_apart()
    isolate(entry)
    sites.wait_reach(1, 2)
    # By its name, wherever an operator meets it.
    assert "\npeer branch, 10.0.0.2" in hub.lwtctl("status").stdout
    freed = hub.lwtctl("peer", "forget", "branch").stdout
    assert "10.0.0.2 is free" in freed
    hub.wait_log(r"client branch 10\.0\.0\.2 .*dropped: its tunnel address was")
    unknown = hub.lwtctl("peer", "ban", "brunch", check=False)
    assert "no entry [[peer]] has the name brunch" in unknown.stdout
    sites.wait_reach(1, 2)
