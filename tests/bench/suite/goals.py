"""What the gateway must reach: every target of the benchmarks, once. Scenarios
make their targets of these, and the summary lists those that none stated."""

import dataclasses

from suite.report import Target
from suite.rounds import Ratio


@dataclasses.dataclass(frozen=True)
class Goal:
    scenario: str
    what: str
    limit: float
    at_most: bool = False


_SENDER = "crypto+FEC reference / pipeline cycles"
_LATENCY = "over a bare two-relay forwarder's"
GOALS = {
    "sender": Goal("pipeline", f"sender 10+3, 1400 B, ring: {_SENDER}", 0.90),
    "sender-64": Goal("pipeline", f"sender 10+3, 64 B, ring: {_SENDER}", 0.80),
    "sender-memif": Goal(
        "pipeline", f"sender 10+3, 1400 B, memif both ends: {_SENDER}", 0.75),
    "sender-checksum": Goal(
        "pipeline", f"sender 10+3, 1400 B, software checksum: {_SENDER}",
        0.85),
    "receiver": Goal(
        "pipeline", "receiver, no loss, 1400 B, ring: open alone / pipeline",
        0.92),
    "receiver-loss": Goal(
        "pipeline", "receiver 10+3, 1400 B, 3 % loss: cycles over those of no "
        "loss", 1.25, True),
    "whole-10+3": Goal(
        "tunnel", "TCP goodput over OpenVPN's, FEC 10+3, whole", 10),
    "whole-cpu-10+3": Goal(
        "tunnel", "CPU per GB over OpenVPN's, FEC 10+3, whole", 1 / 8, True),
    "segmented-10+3": Goal(
        "tunnel", "TCP goodput over OpenVPN's, FEC 10+3, segmented", 5),
    "whole-off": Goal(
        "tunnel", "TCP goodput over OpenVPN's, FEC off, whole", 12),
    "segmented-off": Goal(
        "tunnel", "TCP goodput over OpenVPN's, FEC off, segmented", 6),
    "workers": Goal(
        "workers", "two workers against one, two peers, rings", 1.85),
    "scale-sender": Goal(
        "scale", "10 000 peers against 1, cycles, sender", 1.15, True),
    "scale-receiver": Goal(
        "scale", "10 000 peers against 1, cycles, receiver", 1.15, True),
    "scale-memory": Goal(
        "scale", "KiB that a client takes of a worker", 24, True),
    "scale-idle": Goal(
        "scale", "control thread with 10 000 idle clients, share of a core",
        0.005, True),
    "scale-joins": Goal(
        "scale", "a join at 10 000 clients: X25519 alone over all that the hub "
        "does", 0.7),
    "scale-joins-rate": Goal("scale", "joins a second at 10 000 clients", 500),
    "worst": Goal(
        "worst", "worst legal input over the common one, cycles", 8, True),
    "idle-p50": Goal(
        "latency", f"round trip, idle, p50, {_LATENCY}", 1.3, True),
    "idle-p99": Goal(
        "latency", f"round trip, idle, p99, {_LATENCY}", 1.3, True),
    "half-p99": Goal(
        "latency", "round trip at half load, p99, ms", 2, True),
    "memory": Goal(
        "start", "resident set of a client with defaults, MiB", 96, True),
    "start": Goal("start", "start to first packet, s", 1.5, True),
    # Stated by the scenario in its own words, which begin like this.
    "loss": Goal("loss", "TCP (cubic) at 3 %, auto over -fec off "
                 "-retransmit=false", 20),
}


def target(key, figure, case="", note=""):
    """A target for a report. `figure` is a Ratio; without a value it was
    refused, and the target says so. `case` tells several of one goal apart."""
    goal = GOALS[key]
    value = figure.value if isinstance(figure, Ratio) else figure
    if value is None:
        why = str(figure) if isinstance(figure, Ratio) else "not measured"
        note = f"{note}: {why}" if note else why
    what = f"{goal.what}; {case}" if case else goal.what
    return Target(what, goal.limit, value, goal.at_most, note)
