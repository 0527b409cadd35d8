"""`tunnel`: goodput and CPU of whole programs, client to hub through a router.

Every contender has namespaces of its own; they take turns, so that all meet
the same noise. `whole` leaves the legs as the kernel makes them, so that
super-frames of 64 KiB pass; `segmented` cuts every frame at its sender.
"""

import dataclasses

from harness.traffic import Iperf
from suite import contenders
from suite.cpu import softirq_seconds
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
        *(contenders.lwt(uplink, fec) for uplink in ("af_packet", "af_xdp")
          for fec in ("off", "10:3")),
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


def figures(report, udp, cpu, cycles):
    """What one round gives. `cpu` are seconds by what used them: gateways, the
    kernel's threads, and all of the run; `cycles` is (busy, packets) or
    None."""
    size, lost = received(report, udp)
    seconds = report["end"]["sum_sent" if not udp else "sum"]["seconds"]
    result = {
        "goodput_mbits": size * 8 / seconds / 1e6,
        "lost_share": lost,
        **{key: seconds_used / (size / 1e9) if size else None
           for key, seconds_used in cpu.items()},
    }
    if cycles is not None and cycles[1]:
        result["cycles_per_packet"] = cycles[0] / cycles[1]
    return result


def _cpu(one):
    return {"cpu_s_per_gb": one.meter.seconds(),
            "kernel_s_per_gb": softirq_seconds(),
            "all_s_per_gb": one.machine.run_seconds()}


def traffic(one, load, seconds):
    """One round of a contender."""
    udp = "-u" in load.flags
    cycles = one.contender.cycles()
    before = _cpu(one)
    report = Iperf(one.topology.hub.namespace, one.topology.client.namespace,
                   one.contender.hub_address, *load.flags,
                   seconds=seconds).result()
    cpu = {key: value - before[key] for key, value in _cpu(one).items()}
    if cycles is not None:
        after = one.contender.cycles()
        cycles = (after[0] - cycles[0], after[1] - cycles[1])
    return figures(report, udp, cpu, cycles)


def measure(context, legs=LEGS, loads=LOADS):
    """Yields (leg, load name, Rounds, All that ran)."""
    legs = list(filter(context.wants_leg, legs))
    loads = [load for load in loads if context.wants(load.name)]
    parts = len(legs) * len(loads)
    for leg in legs:
        with All(all_contenders(), leg, context) as candidates:
            for load in loads:
                rounds = context.run_rounds(candidates.tasks(
                    lambda one, load=load: traffic(one, load,
                                                   context.seconds)), parts)
                parts -= 1
                yield leg, load.name, rounds, candidates
