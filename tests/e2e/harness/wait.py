"""Bounded waiting: for an event, never for a length of time."""

import select
import time

_STEP_S = 0.02


def wait_until(predicate, timeout, what):
    """Returns the first true value of predicate(); fails after `timeout` s."""
    deadline = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what}")
        select.select([], [], [], _STEP_S)
