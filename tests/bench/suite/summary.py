"""One table of all targets, from the JSON of all scenarios in a folder."""

import json

from suite.goals import GOALS
from suite.report import Table, limit_text

_WORDS = {"met": "yes", "missed": "NO", "not stated": "no figure"}


def load(folder, scenarios):
    """Scenario -> what its JSON holds, of those that have been measured."""
    paths = {name: folder / f"{name}.json" for name in scenarios}
    return {name: json.loads(path.read_text())
            for name, path in paths.items() if path.exists()}


def rows(results):
    """In the order of GOALS; a goal that nobody stated has a row as well, and
    other targets of a scenario stand behind."""
    made, seen = [], set()
    for goal in GOALS.values():
        stated = [target
                  for target in results.get(goal.scenario, {}).get("targets",
                                                                   ())
                  if target["what"].startswith(goal.what)]
        seen.update(target["what"] for target in stated)
        made += [_row(target) for target in stated]
        if not stated:
            made.append({"what": goal.what,
                         "target": limit_text(goal.limit, goal.at_most),
                         "here": None, "met": "not measured", "note": ""})
    for result in results.values():
        made += [_row(target) for target in result["targets"]
                 if target["what"] not in seen]
    return made


def _row(target):
    return {"what": target["what"],
            "target": limit_text(target["limit"], target["at_most"]),
            "here": target["value"], "met": _WORDS[target["verdict"]],
            "note": target["note"]}


def methods(results):
    """A line a scenario: on what, when, and how many rounds counted."""
    lines = []
    for name, result in results.items():
        machine = result["machine"]
        gate = "gated" if result["gated"] else "UNGATED"
        lines.append(
            f"{name}: {machine['date']}, {len(machine['cpus_used'])} CPUs of "
            f"{machine['cpu']}{', virtual' if machine['virtual'] else ''}"
            f"{', VAES' if machine['vaes'] else ''}, Linux "
            f"{machine['kernel']}, {gate}, kept {result['kept']} of "
            f"{result['total']}, load {machine['load_average']}")
    return lines


def failures(results):
    return [f"{name}: {failure['row']}: {_ends(failure['why'])}"
            for name, result in results.items()
            for failure in result["failures"]]


def _ends(text):
    """The first and the last line of what may be a whole log."""
    lines = text.splitlines()
    return " … ".join(dict.fromkeys((lines[0], lines[-1])))


def _table(made):
    return Table("all targets", [("what", "what", ""),
                                 ("target", "target", ""),
                                 ("here", "here", ".3g"),
                                 ("met", "met?", ""), ("note", "", "")], made)


def _markdown(made, lines, failed):
    text = ["| what | target | here | met? |", "|---|---|---|---|"]
    for row in made:
        here = "-" if row["here"] is None else f"{row['here']:.3g}"
        note = f" ({row['note']})" if row["note"] else ""
        text.append(f"| {row['what']} | {row['target']} | {here}{note} | "
                    f"{row['met']} |")
    text += ["", *(f"* {line}" for line in lines)]
    text += [f"* failed: {line}" for line in failed]
    return "\n".join(text) + "\n"


def write(folder, scenarios):
    """Writes summary.json, .txt and .md; returns the text."""
    results = load(folder, scenarios)
    made, lines, failed = rows(results), methods(results), failures(results)
    text = "\n".join(["== summary", *lines,
                      *(f"FAILED {line}" for line in failed), "",
                      _table(made).text(), ""])
    (folder / "summary.json").write_text(
        json.dumps({"targets": made, "method": lines, "failures": failed},
                   indent=1) + "\n")
    (folder / "summary.txt").write_text(text)
    (folder / "summary.md").write_text(_markdown(made, lines, failed))
    return text
