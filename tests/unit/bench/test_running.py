"""Contenders that start, and those that cannot."""

from suite import running
from suite.contenders import Missing
from suite.report import Report


class Contender:

    def __init__(self, name, error=None):
        self.name = name
        self.error = error
        self.commands = [f"{name} -x"]

    def version(self):
        return "1"


class Context:

    def __init__(self, only):
        self._only = only

    def chosen(self, contenders):
        return [one for one in contenders if one.name in self._only]


class Running:
    stopped = []

    def __init__(self, contender, leg, context):
        del leg, context
        if contender.error:
            raise contender.error
        self.contender = contender
        self.name = contender.name

    def stop(self):
        self.stopped.append(self.name)


def test_what_cannot_start_fails_its_row_and_no_other(monkeypatch):
    monkeypatch.setattr(running, "Running", Running)
    Running.stopped = []
    candidates = [Contender("a"), Contender("b", Missing("b is missing")),
                  Contender("c", AssertionError("c died")), Contender("d")]
    report = Report("trial", {})
    with running.All(candidates, "whole", Context("abc")) as every:
        assert {name: task() for name, task in
                every.tasks(lambda one: one.name * 2).items()} == {"a": "aa"}
        every.describe(report)
        every.describe(report)
    assert Running.stopped == ["a"]
    assert report.failures == [("b", "b is missing"), ("c", "c died")]
    assert report.versions == {"a": "1"}
    assert report.commands == {"a": ["a -x"]}
