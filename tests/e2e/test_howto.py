"""The first sections of docs/howto.md, typed as they stand."""

import re
import shlex

from harness.gateway import DAEMON, PORT
from harness.machine import REPOSITORY
from harness.wait import wait_until

_HUB_LAN, _CLIENT_LAN = "192.168.7.1", "192.168.8.1"


def _blocks(title):
    """(host, command) of a section; a host is named before its block."""
    page = (REPOSITORY / "docs/howto.md").read_text()
    section = page.split(f"\n## {title}\n")[1].split("\n## ")[0]
    host, found = None, []
    for text, block in re.findall(r"(.*?)^```sh\n(.*?)^```$", section,
                                  re.M | re.S):
        for name in re.findall(r"On the (hub|laptop|client)\b", text):
            host = "hub" if name == "hub" else "client"
        found += [(host, line.removeprefix("sudo "))
                  for line in block.splitlines()]
    return found


class _Typist:
    def __init__(self, topology, start, folder):
        self._start = start
        self._hosts = {"hub": topology.hub, "client": topology.client}
        self._folder = folder
        self.running = {}
        self._started = 0
        for host, address in (("hub", _HUB_LAN), ("client", _CLIENT_LAN)):
            namespace = self._hosts[host].namespace
            namespace.ip("link", "add", "lan0", "type", "veth",
                         "peer", "name", "lan1")
            namespace.ip("address", "add", f"{address}/24", "dev", "lan0")
            for end in ("lan0", "lan1"):
                namespace.ip("link", "set", end, "up")

    def _gateway(self, host, words):
        if host in self.running:
            assert self.running.pop(host).stop() == 0
        side = self._start(self._hosts[host].namespace,
                           ["-c", self._folder / words[-1]],
                           f"{host}-{self._started}", own_paths=False)
        self._started += 1
        side.socket = side.wait_log(r"ready: .*control socket (\S+)").group(1)
        if host == "client":
            side.wait_log("tunnel up")
        self.running[host] = side

    def type(self, host, command):
        command = command.replace("vpn.example.com:9000",
                                  f"{self._hosts['hub'].v4}:{PORT}")
        words = shlex.split(command)
        if words[:2] == ["lightweight-tunnel", "-c"]:
            return self._gateway(host, words)
        if words[0] == "lwtctl":
            return self.running[host].lwtctl(*words[1:]).stdout
        command = re.sub("^lightweight-tunnel", str(DAEMON), command)
        return self._hosts[host].namespace.run(
            "sh", "-ec", f"cd {self._folder} && {command}").stdout

    def section(self, title):
        return [self.type(host, command) for host, command in _blocks(title)]


def test_the_first_sections_do_what_they_say(topology, start, folder):
    typist = _Typist(topology, start, folder)
    outside = topology.client.namespace
    # The control: nobody leads there.
    assert outside.ping(_HUB_LAN, count=1, timeout=1) == 0
    said = typist.section("A laptop and an office")
    assert sum("1 received" in (text or "") for text in said) == 2, said
    routes = typist.section("Two sites")[-1]
    assert "192.168.8.0/24" in routes and "192.168.7.0/24" in routes, routes
    wait_until(lambda: topology.hub.namespace.ping(_CLIENT_LAN, count=1,
                                                   timeout=1) == 1, 10,
               "the second site is reached")
    typist.section("All traffic through the hub")
    wait_until(lambda: "dev lwt0" in outside.ip("route", "get", "192.0.2.1"),
               10, "all traffic goes through the tunnel")
    assert outside.ping("10.86.27.1", count=1, timeout=1) == 1
