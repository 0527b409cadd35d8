"""Which rounds count, and when a ratio is refused."""

import pytest

from suite import quiet
from suite.rounds import LEAST_KEPT, Round, Rounds


class Watch:
    """Gives noises from a list instead of a machine's."""

    def __init__(self, noises):
        self._noises = iter(noises)
        self.begun = 0

    def begin(self):
        self.begun += 1

    def end(self):
        return next(self._noises, (100, 0.0))


def filled(first, second, noises=()):
    """Rounds of contenders a and b with these goodputs."""
    rounds = Rounds()
    gates = iter(noises)
    for name, values in (("a", first), ("b", second)):
        for number, value in enumerate(values):
            probe, share = next(gates, (100, 0.0))
            rounds.all.append(Round(name, number, {"rate": value}, probe,
                                    share))
    rounds.judge()
    return rounds


def test_keeps_rounds_near_the_best_probe():
    assert quiet.keep([(100, 0), (114, 0), (116, 0)]) == [True, True, False]
    assert quiet.keep([(100, 0.04), (100, 0.06)]) == [True, False]
    assert quiet.keep([]) == []


def test_the_best_probe_is_that_of_the_whole_run():
    # What looked quiet at first was not.
    assert quiet.keep([(200, 0), (100, 0)]) == [False, True]


def test_median_of_kept_rounds_only():
    rounds = filled([1, 2, 300], [], [(100, 0), (100, 0), (100, 0.5)])
    assert rounds.median("a", "rate") == 1.5
    assert rounds.median("a", "rate", kept_only=False) == 2
    assert rounds.median("b", "rate") is None
    assert rounds.median("a", "no such figure") is None


def test_ratio_is_the_median_of_paired_rounds():
    count = LEAST_KEPT + 1
    rounds = filled([2 * (i + 1) for i in range(count)],
                    [i + 1 for i in range(count)])
    ratio = rounds.ratio("rate", "a", "b")
    assert ratio.value == 2
    assert ratio.rounds == count
    assert str(ratio) == "2.00"


def test_ratio_of_too_few_rounds_is_refused():
    rounds = filled([2] * (LEAST_KEPT - 1), [1] * (LEAST_KEPT - 1))
    ratio = rounds.ratio("rate", "a", "b")
    assert ratio.value is None
    assert "refused: 9 of 10" in str(ratio)


def test_a_noisy_round_takes_its_pair_along():
    noises = [(100, 0)] * LEAST_KEPT + [(100, 0.9)]
    rounds = filled([2] * LEAST_KEPT, [1] * LEAST_KEPT, noises)
    assert len(rounds.kept("a")) == LEAST_KEPT
    assert rounds.ratio("rate", "a", "b").value is None


def test_ungated_every_round_counts():
    rounds = Rounds(gated=False)
    rounds.all.append(Round("a", 0, {}, 900, 0.9))
    rounds.all.append(Round("a", 1, {}, 100, 0.0))
    rounds.judge()
    assert len(rounds.kept("a")) == 2


@pytest.mark.parametrize("wanted, most, ran", [(3, 10, 3), (3, 2, 2)])
def test_contenders_take_turns_until_enough_are_kept(wanted, most, ran):
    order = []
    tasks = {name: (lambda name=name: order.append(name) or {"rate": 1})
             for name in ("a", "b")}
    rounds = Rounds()
    rounds.run(tasks, Watch([]), wanted, most)
    assert order == ["a", "b"] * ran
    assert len(rounds.of("a")) == ran


def test_a_median_of_too_few_rounds_is_refused_too():
    rounds = filled([2] * LEAST_KEPT, [1] * (LEAST_KEPT - 1))
    assert rounds.settled("a", "rate").value == 2
    assert rounds.settled("b", "rate").value is None
    assert rounds.settled("b", "rate").rounds == LEAST_KEPT - 1


def test_ends_with_the_turn_in_which_time_runs_out():
    rounds = Rounds()
    times = iter([True, False])
    rounds.run({"a": lambda: {"rate": 1}, "b": lambda: {"rate": 1}},
               Watch([]), 10, 20, left=lambda: next(times))
    assert len(rounds.of("a")) == len(rounds.of("b")) == 2


def test_goes_on_while_rounds_are_noisy():
    rounds = Rounds()
    rounds.run({"a": lambda: {"rate": 1}},
               Watch([(100, 0.5), (100, 0.5), (100, 0)]), 1, 10)
    assert [one.kept for one in rounds.all] == [False, False, True]
