"""A host with addresses that are not its own: the floods of strangers, and
many clients at once."""

import ipaddress
import json
import subprocess

from harness.gateway import BUILD, KEY, PORT

# Networks that lead to the attacker. Of the first it answers by hand, of the
# second by its kernel, and of the third nobody does.
BY_HAND = "10.66.0.0/16"
BY_KERNEL = "10.67.0.0/16"
NOBODY = "198.18.0.0/15"

_ATTACKER = BUILD / "tests/support/attacker"
_JOINER = BUILD / "tests/support/joiner"


class Attacker:
    """Makes `host` of a topology, which is no gateway's, one."""

    def __init__(self, topology, host):
        self._host = host
        self._hub = topology.hub
        router = topology.router
        for network in (BY_HAND, BY_KERNEL):
            router.ip("route", "add", network, "via", host.v4)
        router.ip("route", "add", "blackhole", NOBODY)
        host.namespace.ip("route", "add", "local", BY_KERNEL, "dev", "lo")
        # It may send from wherever it likes.
        leg = host.namespace.label
        router.sysctl(**{"net__ipv4__conf__all__rp_filter": 0,
                         f"net__ipv4__conf__{leg}__rp_filter": 0})
        self._next_hop = router.output(
            "cat", f"/sys/class/net/{leg}/address").strip()
        # Its kernel and the router's know each other before it begins.
        assert host.namespace.ping(topology.hub.v4) == 3

    def flood(self, kind, rate, port=PORT, source=BY_HAND, **settings):
        """Begins; rate is in segments or connections a second. The settings
        are the program's flags by name: count, hello, seed."""
        flags = [word for name, value in settings.items()
                 for word in (f"-{name}", value)]
        return Flood(self._host.namespace.popen(
            _ATTACKER, kind, "-device", "eth0", "-next-hop", self._next_hop,
            "-to", f"{self._hub.v4}:{port}", "-from", source, "-rate", rate,
            *flags, stdout=subprocess.PIPE, text=True))

    def hello(self, key):
        """A first message under a key, in hex."""
        return self._host.namespace.output(_JOINER, "-key", key).strip()

    def join(self, count=1, first=0, key=KEY, rate=0):
        """Clients that come by the kernel's TCP, from 256 networks in turn,
        and ask for addresses from the first-th on, at most `rate` a second if
        given: the answers they got, and the process that holds their
        connections."""
        tunnel = ipaddress.ip_address("10.0.1.0") + first
        process = self._host.namespace.popen(
            _JOINER, "-to", f"{self._hub.v4}:{PORT}", "-key", key, "-from",
            f"10.67.0.{1 + first % 200}", "-tunnel", tunnel, "-count", count,
            "-rate", rate, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True)
        return json.loads(process.stdout.readline()), process


class Flood:

    def __init__(self, process):
        self._process = process

    def running(self):
        return self._process.poll() is None

    def result(self, timeout=60):
        """What it sent and heard, once it has sent its count."""
        text, _ = self._process.communicate(timeout=timeout)
        return json.loads(text)

    def stop(self):
        """Ends one without a count."""
        self._process.terminate()
        return self.result()
