"""Runs benchmarks and writes their results; scripts/bench.sh builds first.

usage: run.py SCENARIO... [-results DIR] [-build DIR] [-rounds N] ...
"""

import argparse
import os
import pathlib
import sys

SCENARIOS = ("micro", "pipeline", "scale", "workers", "tunnel", "loss",
             "latency", "start")
_HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(_HERE), str(_HERE.parent / "e2e")]


def _options():
    parser = argparse.ArgumentParser(
        prog="scripts/bench.sh", allow_abbrev=False,
        description="Runs benchmarks; a row whose peer program is missing "
        "fails.")
    parser.add_argument("scenarios", nargs="+", choices=("all", *SCENARIOS),
                        metavar="scenario", help=" ".join(SCENARIOS))
    parser.add_argument("-build", default="build-bench",
                        help="directory of the built programs")
    parser.add_argument("-results", default="build-bench/results",
                        help="where JSON, text and plots go")
    parser.add_argument("-rounds", type=int, default=10,
                        help="quiet rounds wanted of each row")
    parser.add_argument("-most-rounds", type=int, default=0,
                        help="rounds after which it gives up; twice -rounds")
    parser.add_argument("-seconds", type=int, default=3,
                        help="length of a round of traffic")
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


def _runner(scenario):
    # Each is imported when it is wanted.
    if scenario == "tunnel":
        from suite import tunnel_report
        return tunnel_report.run
    if scenario == "loss":
        from suite import loss
        return loss.run
    if scenario == "latency":
        from suite import latency
        return latency.run
    if scenario == "start":
        from suite import start
        return start.run
    from suite import native
    return getattr(native, scenario)


def main():
    options = _options().parse_args()
    # The harness looks for the programs there.
    os.environ["LWT_BUILD_DIR"] = str(pathlib.Path(options.build).resolve())
    from harness import isolation
    from suite.context import Context

    results = pathlib.Path(options.results).resolve()
    isolation.isolate()
    context = Context(options)
    failures = 0
    try:
        wanted = options.scenarios
        for scenario in SCENARIOS if "all" in wanted else wanted:
            report = _runner(scenario)(context)
            report.write(results)
            print(report.text(), flush=True)
            failures += len(report.failures)
    finally:
        context.close()
    print(f"results are in {options.results}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
