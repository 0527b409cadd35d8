"""Results as JSON, as text to read, and as plots."""

import dataclasses
import json


@dataclasses.dataclass
class Table:
    """`columns` are (key, heading, format); rows are dicts by key. The plot
    shows `plotted` for each row, named by the first column."""
    title: str
    columns: list
    rows: list
    plotted: str = ""
    unit: str = ""

    def text(self):
        cells = [[heading for _, heading, _ in self.columns]]
        for row in self.rows:
            cells.append([_cell(row.get(key), how)
                          for key, _, how in self.columns])
        widths = [max(len(line[i]) for line in cells)
                  for i in range(len(self.columns))]
        lines = ["  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths))).rstrip()
            for line in cells]
        return "\n".join([self.title, *("  " + line for line in lines)])


def _cell(value, how):
    if value is None:
        return "-"
    return format(value, how) if how else str(value)


@dataclasses.dataclass
class Target:
    """A figure that must be at least, or with `at_most` at most, `limit`."""
    what: str
    limit: float
    value: float | None
    at_most: bool = False
    note: str = ""

    @property
    def verdict(self):
        if self.value is None:
            return "not stated"
        if self.at_most:
            return "met" if self.value <= self.limit else "missed"
        return "met" if self.value >= self.limit else "missed"


def limit_text(limit, at_most):
    return ("<= " if at_most else ">= ") + f"{limit:g}"


class Report:
    """One scenario's results. `failures` are rows that could not run."""

    def __init__(self, scenario, facts, gated=True):
        self.scenario = scenario
        self.facts = facts
        self.method = []
        if not gated:
            self.method.append("UNGATED: rounds on a busy machine count too.")
        self.versions = {}
        self.commands = {}
        self.tables = []
        self.targets = []
        self.failures = []
        self.raw = []
        self.gated = gated
        self.kept = self.total = 0

    def count(self, kept, total):
        """Rounds, or repetitions of a program that gates by itself."""
        self.kept += kept
        self.total += total

    @property
    def refused(self):
        """Targets of which too few rounds were kept to say anything."""
        return [target.what for target in self.targets
                if target.value is None]

    def as_json(self):
        return {
            "scenario": self.scenario,
            "machine": self.facts,
            "gated": self.gated,
            "kept": self.kept,
            "total": self.total,
            "method": self.method,
            "versions": self.versions,
            "commands": self.commands,
            "tables": [dataclasses.asdict(table) for table in self.tables],
            "targets": [dict(dataclasses.asdict(target),
                             verdict=target.verdict)
                        for target in self.targets],
            "failures": [{"row": row, "why": why}
                         for row, why in self.failures],
            "raw": self.raw,
        }

    def text(self):
        parts = [f"== {self.scenario}"]
        parts.append("\n".join(f"  {key}: {value}"
                               for key, value in self.facts.items()))
        parts.append("\n".join([*self.method,
                                f"kept {self.kept} of {self.total}"]))
        if self.versions:
            parts.append("\n".join(f"  {name}: {version}" for name, version
                                   in self.versions.items()))
        parts += [table.text() for table in self.tables]
        if self.targets:
            parts.append(self._target_table().text())
        parts += [f"FAILED {row}: {why}" for row, why in self.failures]
        return "\n\n".join(part for part in parts if part) + "\n"

    def _target_table(self):
        rows = [{
            "what": target.what,
            "limit": limit_text(target.limit, target.at_most),
            "value": target.value,
            "verdict": target.verdict,
            "note": target.note,
        } for target in self.targets]
        return Table("targets", [("what", "what", ""),
                                 ("limit", "target", ""),
                                 ("value", "here", ".3g"),
                                 ("verdict", "", ""), ("note", "", "")], rows)

    def write(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.scenario}.json").write_text(
            json.dumps(self.as_json(), indent=1) + "\n")
        (folder / f"{self.scenario}.txt").write_text(self.text())
        plotted = [table for table in self.tables if table.plotted]
        if plotted:
            _plot(plotted, folder / f"{self.scenario}.svg")


def _plot(tables, path):
    # Imported here: it takes a second, and only the results need it.
    import matplotlib
    matplotlib.use("svg")
    from matplotlib import pyplot

    heights = [0.6 + 0.28 * len(table.rows) for table in tables]
    figure, axes = pyplot.subplots(
        len(tables), 1, figsize=(8, 0.5 + sum(heights)), squeeze=False,
        gridspec_kw={"height_ratios": heights}, layout="constrained")
    for axis, table in zip(axes[:, 0], tables):
        name = table.columns[0][0]
        rows = [row for row in reversed(table.rows)
                if row.get(table.plotted) is not None]
        bars = axis.barh([str(row[name]) for row in rows],
                         [row[table.plotted] for row in rows])
        axis.bar_label(bars, fmt="%.3g", padding=3)
        axis.set_title(f"{table.title} ({table.unit})", fontsize=9)
        axis.margins(x=0.12)
    figure.savefig(path)
    pyplot.close(figure)
