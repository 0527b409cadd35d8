"""All scenarios in one go: bounds, failures and the exit status."""

import types

import run
from suite.report import Report, Target


class Context:
    facts = {}
    gated = True

    def __init__(self):
        self.bounds = []

    def begin(self, bound):
        self.bounds.append(bound)


def scenario(name, function, bound=5):
    return run.Scenario(name, function, bound, "")


def with_scenarios(monkeypatch, functions):
    """run with these functions as its scenarios."""
    monkeypatch.setattr(run, "SCENARIOS",
                        {name: scenario("trial", name) for name in functions})
    monkeypatch.setattr(run.importlib, "import_module",
                        lambda name: types.SimpleNamespace(**functions))


def good(context):
    return Report("good", context.facts)


def broken(context):
    raise AssertionError("it fell over")


def refused(context):
    made = Report("refused", context.facts)
    made.targets.append(Target("unsaid", 1, None))
    return made


def missed(context):
    made = Report("missed", context.facts)
    made.targets.append(Target("slow", 2, 1))
    return made


def test_what_fails_is_said_and_the_rest_goes_on(monkeypatch, tmp_path):
    with_scenarios(monkeypatch, {"broken": broken, "good": good})
    context = Context()
    assert run._run(["broken", "good"], context, tmp_path) == 1
    assert context.bounds == [5, 5]
    assert "it fell over" in (tmp_path / "broken.txt").read_text()
    assert (tmp_path / "good.json").exists()


def test_refused_figures_count_and_missed_targets_do_not(monkeypatch,
                                                         tmp_path):
    with_scenarios(monkeypatch, {"refused": refused, "missed": missed})
    assert run._run(["refused"], Context(), tmp_path) == 1
    assert run._run(["missed"], Context(), tmp_path) == 0
