"""Was the machine quiet during a round? A round counts only when it was.

Two tests, both before and after it: a fixed piece of work takes at most 1.15
times the best it ever took (a busy sibling hyperthread or a throttled core
makes it slower), and programs that do not belong to the run have used little.
"""

import os
import time

WORST_PROBE = 1.15
WORST_FOREIGN = 0.05  # of all CPUs
_REPEATS = 15


def _work():
    """About a hundred microseconds of dependent arithmetic."""
    value = 1
    for _ in range(1500):
        value = (value * 5 + 3) & 0xffff
    return value


def probe(cpus):
    """Nanoseconds of the fixed work, the worst of the CPUs, each the best of
    a few tries."""
    allowed = os.sched_getaffinity(0)
    worst = 0
    try:
        for cpu in cpus:
            os.sched_setaffinity(0, {cpu})
            best = None
            for _ in range(_REPEATS):
                begun = time.perf_counter_ns()
                _work()
                took = time.perf_counter_ns() - begun
                best = took if best is None else min(best, took)
            worst = max(worst, best)
    finally:
        os.sched_setaffinity(0, allowed)
    return worst


class Watch:
    """Around one round: begin(), the round, end()."""

    def __init__(self, machine, cpus):
        self._machine = machine
        self._cpus = sorted(cpus)

    def begin(self):
        self._probe = probe(self._cpus)
        self._foreign = self._machine.foreign_seconds()
        self._begun = time.monotonic()

    def end(self):
        """The worse probe in ns, and the foreign share of all CPUs."""
        wall = time.monotonic() - self._begun
        foreign = self._machine.foreign_seconds() - self._foreign
        share = max(0.0, foreign) / (wall * len(self._cpus))
        return max(self._probe, probe(self._cpus)), share


def keep(noises):
    """Of a list of (probe, share), which rounds count: a list of bool. The
    best probe is that of the whole run, so this is asked at its end."""
    if not noises:
        return []
    best = min(noise[0] for noise in noises)
    return [
        slowest <= WORST_PROBE * best and share <= WORST_FOREIGN
        for slowest, share in noises
    ]
