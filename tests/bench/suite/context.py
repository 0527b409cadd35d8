"""What every scenario is given: settings, places, the machine's meters."""

import os
import pathlib
import re
import shutil
import sys
import tempfile
import time

from suite import facts
from suite.cpu import Machine, meter_class
from suite.quiet import Watch
from suite.rounds import LEAST_KEPT, Rounds


class Context:

    def __init__(self, options):
        allowed = sorted(os.sched_getaffinity(0))[:options.cpus]
        os.sched_setaffinity(0, allowed)
        self.cpus = allowed
        self.rounds = options.rounds
        self.most_rounds = options.most_rounds or 2 * options.rounds
        self.seconds = options.seconds
        self.gated = not options.ungated
        self.build = pathlib.Path(options.build).resolve()
        self._only = re.compile(options.only)
        self._loads = re.compile(options.load)
        self._legs = re.compile(options.leg)
        self.facts = facts.machine(allowed)
        self.machine = Machine()
        self.meter_method = meter_class().method
        self.watch = Watch(self.machine, allowed)
        # One run of all: scenarios that take long measure what has a target.
        self.short = "all" in options.scenarios
        self._bound = options.budget
        self._ends = 0
        self._root = pathlib.Path(tempfile.mkdtemp(prefix="lwtb-",
                                                   dir="/tmp"))

    def begin(self, bound):
        """A scenario starts, which may take `bound` seconds of rounds."""
        self._ends = time.monotonic() + (self._bound or bound)

    def share(self, parts):
        """Seconds for one of `parts` that are still to come."""
        return max(self._ends - time.monotonic(), 0) / parts

    def folder(self, label):
        """A fresh one with a short path."""
        return pathlib.Path(tempfile.mkdtemp(prefix=label[:8],
                                             dir=self._root))

    def chosen(self, contenders):
        return [one for one in contenders if self._only.search(one.name)]

    def wants(self, load):
        return self._loads.fullmatch(load) is not None

    def wants_leg(self, leg):
        return self._legs.fullmatch(leg) is not None

    def run_rounds(self, tasks, parts=1):
        """Rounds of `tasks` as the options ask for, as far as the time goes
        of which this is one of `parts` parts to come."""
        rounds = Rounds(self.gated)
        ends = time.monotonic() + self.share(parts)
        if tasks:
            rounds.run(tasks, self.watch, self.rounds, self.most_rounds,
                       self.tell,
                       lambda: time.monotonic() < ends)
        for name in tasks:
            kept = len(rounds.kept(name))
            if kept < min(self.rounds, LEAST_KEPT):
                self.say(f"  {name}: {kept} rounds kept of "
                         f"{len(rounds.of(name))}, too few")
        return rounds

    @staticmethod
    def say(text):
        print(text, flush=True)

    @staticmethod
    def note(what, figures):
        """One line of a run that is no round."""
        words = "  ".join(f"{name} {value:.4g}"
                          for name, value in figures.items()
                          if isinstance(value, (int, float)))
        print(f"  {figures['name']} {what}: {words}", file=sys.stderr,
              flush=True)

    @staticmethod
    def tell(done):
        """One line a round, beside the results."""
        figures = "  ".join(f"{name} {value:.4g}"
                            for name, value in done.figures.items()
                            if isinstance(value, (int, float)))
        print(f"  round {done.number} {done.contender}: {figures}  "
              f"(foreign {done.foreign_share:.0%})", file=sys.stderr,
              flush=True)

    def close(self):
        self.machine.delete()
        shutil.rmtree(self._root)
