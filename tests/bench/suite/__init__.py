"""Benchmarks: interleaved rounds, a gate for noise, ratios within one run."""
