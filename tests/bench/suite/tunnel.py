"""`tunnel`: goodput and CPU of whole programs, client to hub through a router.

Every contender has namespaces of its own; they take turns, so that all meet
the same noise. `whole` leaves the legs as the kernel makes them, so that
super-frames of 64 KiB pass; `segmented` cuts every frame at its sender.
"""

import dataclasses

from harness.traffic import Iperf
from suite import contenders
from suite.running import All


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


def traffic(one, load, seconds):
    """One round of a contender."""
    udp = "-u" in load.flags
    cycles = one.contender.cycles()
    cpu = one.meter.seconds()
    report = Iperf(one.topology.hub.namespace, one.topology.client.namespace,
                   one.contender.hub_address, *load.flags,
                   seconds=seconds).result()
    cpu = one.meter.seconds() - cpu
    if cycles is not None:
        after = one.contender.cycles()
        cycles = (after[0] - cycles[0], after[1] - cycles[1])
    return figures(report, udp, cpu, cycles)


def measure(context, legs=LEGS, loads=LOADS):
    """Yields (leg, load name, Rounds, All that ran)."""
    for leg in filter(context.wants_leg, legs):
        with All(all_contenders(), leg, context) as candidates:
            for load in loads:
                if not context.wants(load.name):
                    continue
                rounds = context.run_rounds(candidates.tasks(
                    lambda one, load=load: traffic(one, load,
                                                   context.seconds)))
                yield leg, load.name, rounds, candidates
