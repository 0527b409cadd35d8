"""Tables, targets and files of results."""

import json

from suite.report import Report, Table, Target


def report():
    made = Report("trial", {"cpu": "some"})
    made.method = ["by hand"]
    made.versions = {"peer": "1.2"}
    made.tables = [
        Table("rates", [("name", "who", ""), ("rate", "Mbit/s", ".1f")],
              [{"name": "one", "rate": 12.34}, {"name": "another",
                                                "rate": None}], "rate",
              "Mbit/s")
    ]
    made.targets = [Target("enough", 10, 12.34), Target("little", 5, 6.0,
                                                         at_most=True)]
    made.failures = [("absent", "is not installed")]
    return made


def test_text_lines_up_and_shows_what_is_missing():
    lines = report().text().splitlines()
    assert "  one        12.3" in lines
    assert "  another       -" in lines
    assert "FAILED absent: is not installed" in lines
    assert "by hand" in lines
    assert "  peer: 1.2" in lines


def test_verdicts():
    assert Target("x", 2, 2).verdict == "met"
    assert Target("x", 2, 1.9).verdict == "missed"
    assert Target("x", 2, 2.1, at_most=True).verdict == "missed"
    assert Target("x", 2, 1.9, at_most=True).verdict == "met"
    assert Target("x", 2, None).verdict == "not stated"


def test_targets_without_a_figure_are_refused_ones():
    made = report()
    made.targets.append(Target("unsaid", 1, None))
    assert made.refused == ["unsaid"]


def test_files(tmp_path):
    made = report()
    made.count(3, 5)
    made.count(1, 1)
    made.write(tmp_path / "results")
    saved = json.loads((tmp_path / "results/trial.json").read_text())
    assert saved["targets"][0]["verdict"] == "met"
    assert saved["failures"] == [{"row": "absent",
                                  "why": "is not installed"}]
    assert saved["tables"][0]["rows"][0]["rate"] == 12.34
    assert (saved["kept"], saved["total"], saved["gated"]) == (4, 6, True)
    text = (tmp_path / "results/trial.txt").read_text()
    assert text == made.text()
    assert "kept 4 of 6" in text
    assert "<svg" in (tmp_path / "results/trial.svg").read_text()
