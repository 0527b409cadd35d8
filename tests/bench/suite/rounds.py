"""Rounds: every contender once, in turn, again and again; medians of the
rounds that count, ratios only from enough of them."""

import dataclasses
import statistics

from suite import quiet

LEAST_KEPT = 10


@dataclasses.dataclass
class Round:
    contender: str
    number: int
    figures: dict  # name -> number
    probe_ns: float
    foreign_share: float
    kept: bool = False


class Rounds:
    """The rounds of one comparison. Ungated, every round counts."""

    def __init__(self, gated=True):
        self.all = []
        self._gated = gated

    def run(self, tasks, watch, wanted, most, tell=lambda done: None,
            left=lambda: True):
        """`tasks` maps names to functions that return figures. Ends when
        `wanted` rounds of each count, after `most`, or after one when there
        is no time `left`."""
        for number in range(most):
            for name, task in tasks.items():
                watch.begin()
                figures = task()
                slowest, share = watch.end()
                self.all.append(Round(name, number, figures, slowest, share))
                tell(self.all[-1])
            self.judge()
            if min(len(self.kept(name)) for name in tasks) >= wanted:
                return
            if not left():
                return

    def judge(self):
        noises = [(one.probe_ns, one.foreign_share) for one in self.all]
        for one, good in zip(self.all, quiet.keep(noises)):
            one.kept = good or not self._gated

    def of(self, contender):
        return [one for one in self.all if one.contender == contender]

    def kept(self, contender):
        return [one for one in self.of(contender) if one.kept]

    def median(self, contender, figure, kept_only=True):
        """None when there is no such round."""
        rounds = self.kept(contender) if kept_only else self.of(contender)
        values = [one.figures[figure] for one in rounds
                  if one.figures.get(figure) is not None]
        return statistics.median(values) if values else None

    def settled(self, contender, figure):
        """The median as something to hold against a target: refused like a
        ratio where too few rounds count."""
        values = [one.figures[figure] for one in self.kept(contender)
                  if one.figures.get(figure) is not None]
        if len(values) < LEAST_KEPT:
            return Ratio(None, len(values))
        return Ratio(statistics.median(values), len(values))

    def ratio(self, figure, above, below):
        """Median over the rounds in which both count of above / below."""
        pairs = {one.number: one for one in self.kept(below)}
        ratios = [
            one.figures[figure] / pairs[one.number].figures[figure]
            for one in self.kept(above) if one.number in pairs
            and one.figures.get(figure) is not None
            and pairs[one.number].figures.get(figure)
        ]
        if len(ratios) < LEAST_KEPT:
            return Ratio(None, len(ratios))
        return Ratio(statistics.median(ratios), len(ratios))


@dataclasses.dataclass
class Ratio:
    """`value` is None when too few rounds were quiet to state one."""
    value: float | None
    rounds: int

    def __str__(self):
        if self.value is None:
            return f"refused: {self.rounds} of {LEAST_KEPT} rounds"
        return f"{self.value:.2f}"
