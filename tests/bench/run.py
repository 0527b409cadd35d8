"""Runs benchmarks and writes their results; scripts/bench.sh builds first.

usage: run.py SCENARIO... [-results DIR] [-build DIR] [-rounds N] ...
"""

import argparse
import dataclasses
import importlib
import os
import pathlib
import subprocess
import sys
import time

_HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(_HERE), str(_HERE.parent / "e2e")]


@dataclasses.dataclass(frozen=True)
class Scenario:
    """`function` of suite.`module` takes a Context and returns a Report.
    `bound` is how many seconds its rounds may take where the machine is never
    quiet."""

    module: str
    function: str
    bound: int
    what: str


SCENARIOS = {
    "micro": Scenario("native", "micro", 60, "cycles of single parts"),
    "pipeline": Scenario(
        "native", "pipeline", 300, "cycles a packet of sender and receiver "
        "with each code, beside bare cryptography and FEC, and at 3 % loss"),
    "scale": Scenario(
        "native", "scale", 240, "cycles and memory with 1 to 10 000 peers, "
        "and a million routes; what 10 000 clients cost a hub's control "
        "thread"),
    "workers": Scenario("native", "workers", 120, "two workers against one"),
    "worst": Scenario("native", "worst", 60, "cycles of the worst legal input "
                      "of each stage and parser, beside the common one"),
    "tunnel": Scenario(
        "tunnel_report", "run", 1200, "goodput and CPU through the tunnel, "
        "beside OpenVPN and wireguard-go"),
    "loss": Scenario(
        "loss", "run", 360, "TCP, UDP and delay on a path that loses; 25 "
        "minutes, in `all` only what has a target; less with -rounds 1 "
        "(runs), -load 3% (losses), -only auto (paths)"),
    "latency": Scenario(
        "latency", "run", 420, "round trips, idle and at half load, beside a "
        "bare relay"),
    "start": Scenario(
        "start", "run", 120, "start to first packet, and resident memory of a "
        "client"),
}


def _usage():
    width = max(map(len, SCENARIOS))
    lines = [f"  {name:{width}}  {scenario.what}"
             for name, scenario in SCENARIOS.items()]
    return "\n".join([*lines, f"  {'all':{width}}  every one of them"])


def _options():
    parser = argparse.ArgumentParser(
        prog="scripts/bench.sh", allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Runs benchmarks; a row whose peer program is missing "
        "fails.\n\n" + _usage())
    parser.add_argument("scenarios", nargs="+", choices=("all", *SCENARIOS),
                        metavar="scenario", help="one or more of these")
    parser.add_argument("-build", default="build-bench",
                        help="directory of the built programs")
    parser.add_argument("-results", default="build-bench/results",
                        help="where JSON, text and plots go")
    parser.add_argument("-rounds", type=int, default=10,
                        help="quiet rounds wanted of each row")
    parser.add_argument("-most-rounds", type=int, default=0,
                        help="rounds after which it gives up; twice -rounds")
    parser.add_argument("-seconds", type=int, default=2,
                        help="length of a round of traffic")
    parser.add_argument("-budget", type=int, default=0,
                        help="seconds that the rounds of a scenario may take, "
                        "instead of its own bound")
    parser.add_argument("-ungated", action="store_true",
                        help="count rounds on a busy machine too; the results "
                        "say so")
    parser.add_argument("-cpus", type=int, default=2,
                        help="CPUs for everything together")
    parser.add_argument("-only", default="",
                        help="contenders whose name matches this pattern")
    parser.add_argument("-load", default=".*",
                        help="loads (tcp, tcp-8, udp; idle, half; 1%%, 3%%, "
                        "5%%, 10%%, clean) that match")
    parser.add_argument("-leg", default=".*",
                        help="legs (whole, segmented) that match")
    return parser


def _measure(name, context):
    """The scenario's report; one that could not end has only its failure."""
    from suite.report import Report

    scenario = SCENARIOS[name]
    context.begin(scenario.bound)
    try:
        # Imported when it is wanted.
        module = importlib.import_module(f"suite.{scenario.module}")
        return getattr(module, scenario.function)(context)
    except (AssertionError, OSError, subprocess.SubprocessError,
            ValueError) as error:
        report = Report(name, context.facts, context.gated)
        report.failures.append((name, f"did not end: {error}"))
        return report


def _run(names, context, results):
    """How many rows failed or could not state a figure."""
    bad = 0
    for name in names:
        begun = time.monotonic()
        report = _measure(name, context)
        report.method.append(f"took {time.monotonic() - begun:.0f} s")
        report.write(results)
        print(report.text(), flush=True)
        bad += len(report.failures) + len(report.refused)
    return bad


def main():
    options = _options().parse_args()
    # The harness looks for the programs there.
    os.environ["LWT_BUILD_DIR"] = str(pathlib.Path(options.build).resolve())
    from harness import isolation
    from suite import summary
    from suite.context import Context

    results = pathlib.Path(options.results).resolve()
    isolation.isolate()
    context = Context(options)
    wanted = options.scenarios
    names = list(SCENARIOS) if "all" in wanted else wanted
    try:
        bad = _run(names, context, results)
    finally:
        context.close()
    print(summary.write(results, SCENARIOS))
    print(f"results are in {options.results}")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
