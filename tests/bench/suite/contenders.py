"""The programs that are compared: each joins a client to a hub, in
namespaces of its own, and carries IPv4 between 10.x.0.2 and 10.x.0.1."""

import re
import shutil
import subprocess

from harness import gateway as lwt_gateway
from harness.gateway import Gateway
from harness.netns import run
from harness.variant import Variant
from harness.wait import wait_until


class Missing(Exception):
    """The contender is not installed: its row fails."""


def _program(name):
    path = shutil.which(name)
    if path is None:
        raise Missing(f"{name} is not installed (scripts/setup.sh -tests)")
    return path


class Contender:
    """`start` brings it up; `processes` are then those that do its work."""

    name = ""
    hub_address = ""
    client_address = ""

    def __init__(self):
        self.commands = []
        self.processes = []

    def version(self):
        raise NotImplementedError

    def start(self, topology, folder):
        raise NotImplementedError

    def cycles(self):
        """(busy TSC cycles, packets) since the start, where it says so."""
        return None

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(10)
        self.processes = []

    def _popen(self, namespace, *words, log, **options):
        self.commands.append(" ".join(map(str, words)))
        with log.open("ab") as out:
            self.processes.append(
                namespace.popen(*words, stdin=subprocess.DEVNULL, stdout=out,
                                stderr=out, **options))

    def _wait_up(self, topology, folder):
        def answered():
            for process in self.processes:
                if process.poll() is not None:
                    logs = "\n".join(path.read_text()[-2000:]
                                     for path in folder.glob("*.log"))
                    raise AssertionError(f"{self.name} exited:\n{logs}")
            return topology.client.namespace.ping(self.hub_address, count=1,
                                                  timeout=1)

        wait_until(answered, 20, f"{self.name} carries a ping")


class Lwt(Contender):
    hub_address, client_address = "10.70.0.1", "10.70.0.2"

    def __init__(self, uplink, flags=(), suffix=""):
        super().__init__()
        self.name = f"lwt-{uplink}{suffix}"
        self._variant = Variant(uplink)
        self._flags = list(flags)
        self.sides = []

    def version(self):
        return run(lwt_gateway.DAEMON, "-v").stdout.strip()

    def start(self, topology, folder):
        hub = Gateway(topology.hub.namespace, folder, [
            *lwt_gateway.server_arguments(f"{self.hub_address}/24",
                                          self._variant), *self._flags
        ], "hub")
        client = Gateway(topology.client.namespace, folder, [
            *lwt_gateway.client_arguments(topology.hub.v4,
                                          f"{self.client_address}/24",
                                          self._variant), *self._flags
        ], "client")
        self.sides = [hub, client]
        self.processes = [hub.process, client.process]
        self.commands = [
            " ".join(["lightweight-tunnel", *side.arguments])
            for side in self.sides
        ]
        client.wait_up()
        hub.wait_up()
        self._wait_up(topology, folder)

    def cycles(self):
        busy = packets = 0
        for side in self.sides:
            for worker in side.status()["workers"]:
                busy += worker["busy_cycles"]
                packets += worker["tun_rx_packets"] + worker["tun_tx_packets"]
        return busy, packets


def lwt(uplink, fec):
    """With this code, as the option has it; named as tables have it."""
    return Lwt(uplink, ("-fec", fec), f"-{fec.replace(':', '+')}")


class BareRelay(Contender):
    """Two relays without cryptography or state: the floor for a round trip
    through user space (tests/bench/bare_relay.cc)."""

    name = "bare-relay"
    hub_address, client_address = "10.73.0.1", "10.73.0.2"
    _DEVICE = "bare0"

    def version(self):
        return "this tree's"

    def start(self, topology, folder):
        program = lwt_gateway.BUILD / "tests/bench/bare-relay"
        hub, client = topology.hub, topology.client
        for host, other, own in ((hub, client, self.hub_address),
                                 (client, hub, self.client_address)):
            namespace = host.namespace
            # The kernel would answer that it knows no such protocol.
            namespace.nft("table ip bare { chain input { type filter hook "
                          "input priority 0; ip protocol 253 drop; }; }")
            hop = topology.router.output(
                "cat", f"/sys/class/net/{namespace.label}/address").strip()
            self._popen(namespace, program, self._DEVICE, "eth0", hop,
                        host.v4, other.v4,
                        log=folder / f"{namespace.label}.log")
            wait_until(lambda n=namespace: self._DEVICE in n.ip("link"), 5,
                       "the relay makes its device")
            namespace.ip("address", "add", f"{own}/24", "dev", self._DEVICE)
            namespace.ip("link", "set", self._DEVICE, "mtu", 1400, "up")
        self._wait_up(topology, folder)


class OpenVpn(Contender):
    """Debian's, in user space; its own two ends prove each other by the
    fingerprints of two fresh certificates."""

    hub_address, client_address = "10.71.0.1", "10.71.0.2"

    def __init__(self, protocol):
        super().__init__()
        self.name = f"openvpn-{protocol}"
        self._protocol = protocol

    def version(self):
        text = run(_program("openvpn"), "--version", check=False).stdout
        return " ".join(text.split()[:2])

    def start(self, topology, folder):
        program = _program("openvpn")
        prints = {side: _certificate(folder, side)
                  for side in ("hub", "client")}
        tcp = self._protocol == "tcp"
        common = [
            "--dev", "ovpn0", "--dev-type", "tun", "--dh", "none",
            "--data-ciphers", "AES-256-GCM", "--cipher", "AES-256-GCM",
            "--disable-dco", "--sndbuf", "2097152", "--rcvbuf", "2097152",
            "--txqueuelen", "1000", "--verb", "1"
        ]
        common += (["--socket-flags", "TCP_NODELAY"] if tcp else
                   ["--fast-io"])
        hub = ["--tls-server", "--port", "1194", "--ifconfig",
               self.hub_address, self.client_address, "--proto",
               "tcp4-server" if tcp else "udp4"]
        client = ["--tls-client", "--nobind", "--remote", topology.hub.v4,
                  "1194", "--ifconfig", self.client_address,
                  self.hub_address, "--proto",
                  "tcp4-client" if tcp else "udp4"]
        for side, other, host, words in (
            ("hub", "client", topology.hub, hub),
            ("client", "hub", topology.client, client)):
            self._popen(host.namespace, program, *words, *common, "--cert",
                        folder / f"{side}.crt", "--key",
                        folder / f"{side}.key", "--peer-fingerprint",
                        prints[other], log=folder / f"{side}.log")
        self._wait_up(topology, folder)


def _certificate(folder, side):
    """Makes one for an end; returns its SHA-256 fingerprint."""
    certificate = folder / f"{side}.crt"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
        f"/CN={side}", "-keyout", folder / f"{side}.key", "-out",
        certificate)
    text = run("openssl", "x509", "-in", certificate, "-noout",
               "-fingerprint", "-sha256").stdout
    return re.search(r"=([0-9A-F:]+)", text).group(1)


class WireguardGo(Contender):
    hub_address, client_address = "10.72.0.1", "10.72.0.2"
    name = "wireguard-go"
    _PORT = 51820
    _MTU = 1420

    def version(self):
        text = run(_program("wireguard-go"), "--version", check=False).stdout
        return re.search(r"wireguard-go v?\S+", text).group(0)

    def start(self, topology, folder):
        program, wg = _program("wireguard-go"), _program("wg")
        ends = (("hub", topology.hub, self.hub_address, self.client_address),
                ("client", topology.client, self.client_address,
                 self.hub_address))
        public = {}
        for side, *_ in ends:
            key = run(wg, "genkey").stdout
            (folder / f"{side}.key").write_text(key)
            public[side] = run(wg, "pubkey", input=key).stdout.strip()
        for side, host, own, other in ends:
            device = f"wg{side}"
            self._popen(host.namespace, program, "-f", device,
                        log=folder / f"{side}.log")
            wait_until(
                lambda h=host, d=device: h.namespace.run(
                    wg, "show", d, check=False).returncode == 0, 10,
                f"{device} answers")
            peer = public["client" if side == "hub" else "hub"]
            words = [wg, "set", device, "private-key", folder / f"{side}.key",
                     "listen-port", self._PORT, "peer", peer, "allowed-ips",
                     f"{other}/32"]
            if side == "client":
                words += ["endpoint", f"{topology.hub.v4}:{self._PORT}"]
            host.namespace.run(*words)
            host.namespace.ip("address", "add", f"{own}/24", "dev", device)
            host.namespace.ip("link", "set", device, "mtu", self._MTU, "up")
        self._wait_up(topology, folder)
