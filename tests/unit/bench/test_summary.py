"""One table of all targets, and what stands in it for what is not there."""

import json

import pytest

from suite import goals, summary
from suite.report import Report
from suite.rounds import Ratio

_FACTS = {"date": "2026-01-01 00:00 UTC", "cpus_used": [0, 1], "cpu": "some",
          "virtual": True, "vaes": False, "kernel": "6.1", "load_average": 0.1}


def workers(ratio):
    made = Report("workers", _FACTS)
    made.targets.append(goals.target("workers", ratio))
    made.count(375, 400)
    return made


@pytest.fixture
def folder(tmp_path):
    workers(Ratio(1.9, 15)).write(tmp_path)
    broken = Report("tunnel", _FACTS, gated=False)
    broken.failures.append(("openvpn-udp", "exit 1\nmuch text\nno key"))
    broken.write(tmp_path)
    return tmp_path


def written(folder):
    summary.write(folder, ("workers", "tunnel", "scale"))
    return json.loads((folder / "summary.json").read_text())


def test_every_goal_has_a_row(folder):
    rows = {row["what"]: row for row in written(folder)["targets"]}
    assert len(rows) == len(goals.GOALS)
    assert rows[goals.GOALS["workers"].what]["met"] == "yes"
    assert rows[goals.GOALS["workers"].what]["here"] == 1.9
    assert rows[goals.GOALS["scale-sender"].what]["met"] == "not measured"


def test_a_refused_figure_says_how_many_rounds_counted(folder):
    workers(Ratio(None, 9)).write(folder)
    row, = (row for row in written(folder)["targets"]
            if row["what"] == goals.GOALS["workers"].what)
    assert row["met"] == "no figure"
    assert row["note"] == "refused: 9 of 10 rounds"


def test_cases_of_a_goal_stand_together(folder):
    latency = Report("latency", _FACTS)
    for case in ("FEC off", "FEC auto"):
        latency.targets.append(goals.target("half-p99", 2.5, case))
    latency.write(folder)
    made = summary.rows(summary.load(folder, ("latency",)))
    what = goals.GOALS["half-p99"].what
    assert [(row["what"], row["met"]) for row in made
            if row["what"].startswith(what)] == [(f"{what}; FEC off", "NO"),
                                                 (f"{what}; FEC auto", "NO")]


def test_targets_of_no_goal_stand_behind(folder):
    scale = Report("scale", _FACTS)
    scale.targets.append(summary_target())
    scale.write(folder)
    assert written(folder)["targets"][-1]["what"] == "something else"


def summary_target():
    from suite.report import Target
    return Target("something else", 1, 2)


def test_method_and_failures_are_said(folder):
    saved = written(folder)
    assert any("kept 375 of 400" in line and "gated" in line
               and "Linux 6.1" in line for line in saved["method"])
    assert any("UNGATED" in line for line in saved["method"])
    assert saved["failures"] == ["tunnel: openvpn-udp: exit 1 … no key"]
    assert "| yes |" in (folder / "summary.md").read_text()
    text = (folder / "summary.txt").read_text()
    assert "FAILED tunnel: openvpn-udp" in text


def test_goals_are_of_known_scenarios():
    import run
    known = set(run.SCENARIOS) | {"loss"}
    assert {goal.scenario for goal in goals.GOALS.values()} <= known
