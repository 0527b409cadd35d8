"""Finds the benchmarks' modules and the harness they use."""

import pathlib
import sys

_TESTS = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_TESTS / "bench"), str(_TESTS / "e2e")]
