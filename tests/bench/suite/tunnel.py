"""`tunnel`: goodput and CPU of whole programs, client to hub through a router.

Every contender has namespaces of its own; they take turns, so that all meet
the same noise. `whole` leaves the legs as the kernel makes them, so that
super-frames of 64 KiB pass; `segmented` cuts every frame at its sender.
"""

import dataclasses

from harness.topology import Topology
from harness.traffic import Iperf
from suite import contenders
from suite.rounds import Rounds


@dataclasses.dataclass(frozen=True)
class Load:
    name: str
    flags: tuple


LOADS = (
    Load("tcp", ()),
    Load("tcp-8", ("-P", "8")),
    Load("udp", ("-u", "-b", "300M", "-l", "1300")),
)
LEGS = ("whole", "segmented")


def all_contenders():
    return [
        contenders.Lwt("af_packet"),
        contenders.Lwt("af_xdp"),
        contenders.OpenVpn("udp"),
        contenders.OpenVpn("tcp"),
        contenders.WireguardGo(),
    ]


def whole_leg(namespace, device):
    namespace.run("sysctl", "-qw", f"net.ipv6.conf.{device}.accept_dad=0")
    namespace.ip("link", "set", device, "up")


def segmented_leg(namespace, device):
    """Only the hosts cut; the router is left alone, and merges nothing."""
    if device == "eth0":
        namespace.run("ethtool", "-K", device, "tso", "off", "gso", "off")
    whole_leg(namespace, device)


_LEG = {"whole": whole_leg, "segmented": segmented_leg}


def received(report, udp):
    """Bytes that arrived, and the share of packets that did not."""
    if not udp:
        return report["end"]["sum_received"]["bytes"], 0.0
    total = report["end"]["sum"]
    if not total["packets"]:
        return 0, 1.0
    lost = total["lost_packets"] / total["packets"]
    return total["bytes"] * (1 - lost), lost


def figures(report, udp, cpu_s, cycles):
    """What one round gives. `cycles` is (busy, packets) or None."""
    size, lost = received(report, udp)
    seconds = report["end"]["sum_sent" if not udp else "sum"]["seconds"]
    result = {
        "goodput_mbits": size * 8 / seconds / 1e6,
        "cpu_s_per_gb": cpu_s / (size / 1e9) if size else None,
        "lost_share": lost,
    }
    if cycles is not None and cycles[1]:
        result["cycles_per_packet"] = cycles[0] / cycles[1]
    return result


class Running:
    """A contender that is up, with its namespaces and its CPU meter."""

    def __init__(self, contender, leg, machine, folder):
        self.contender = contender
        self._machine = machine
        self._topology = None
        self._meter = None
        try:
            self._topology = Topology(leg=_LEG[leg])
            self._meter = machine.meter(f"{contender.name}-{leg}")
            contender.start(self._topology, folder)
            for process in contender.processes:
                self._meter.add(process.pid)
        except BaseException:
            self.stop()
            raise

    def round(self, load, seconds):
        udp = "-u" in load.flags
        cycles = self.contender.cycles()
        cpu = self._meter.seconds()
        report = Iperf(self._topology.hub.namespace,
                       self._topology.client.namespace,
                       self.contender.hub_address, *load.flags,
                       seconds=seconds).result()
        cpu = self._meter.seconds() - cpu
        if cycles is not None:
            after = self.contender.cycles()
            cycles = (after[0] - cycles[0], after[1] - cycles[1])
        return figures(report, udp, cpu, cycles)

    def stop(self):
        self.contender.stop()
        if self._meter is not None:
            self._machine.drop(self._meter)
        if self._topology is not None:
            self._topology.delete()


def measure(context, legs=LEGS, loads=LOADS):
    """Yields (leg, load name, Rounds, contenders that ran, failures)."""
    for leg in filter(context.wants_leg, legs):
        running, failures = [], []
        try:
            for contender in context.chosen(all_contenders()):
                try:
                    folder = context.folder(f"{leg}-{contender.name}")
                    running.append(
                        Running(contender, leg, context.machine, folder))
                except (contenders.Missing, AssertionError) as error:
                    failures.append((contender.name, str(error)))
            for load in loads:
                if not context.wants(load.name):
                    continue
                rounds = Rounds(context.gated)
                tasks = {
                    one.contender.name:
                        (lambda one=one, load=load: one.round(
                            load, context.seconds)) for one in running
                }
                if tasks:
                    rounds.run(tasks, context.watch, context.rounds,
                               context.most_rounds, context.tell)
                yield leg, load.name, rounds, [
                    one.contender for one in running], failures
        finally:
            for one in running:
                one.stop()
