"""What every scenario is given: settings, places, the machine's meters."""

import os
import pathlib
import re
import shutil
import sys
import tempfile

from suite import facts
from suite.cpu import Machine, meter_class
from suite.quiet import Watch
from suite.rounds import Rounds


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
        self._root = pathlib.Path(tempfile.mkdtemp(prefix="lwtb-",
                                                   dir="/tmp"))

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

    def run_rounds(self, tasks):
        """Rounds of `tasks` as the options ask for."""
        rounds = Rounds(self.gated)
        if tasks:
            rounds.run(tasks, self.watch, self.rounds, self.most_rounds,
                       self.tell)
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
