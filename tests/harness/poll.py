"""Waiting for a condition with a deadline."""

import time

PAUSE_S = 0.1


class Late(AssertionError):
    """The condition did not hold in time."""


def until(condition, within, what, pause=PAUSE_S, quiet=()):
    """Calls `condition` until it gives something true, and returns that.

    Exceptions of the kinds in `quiet` count as "not yet"; others pass through. After `within` seconds `Late` is
    raised with `what` and the last that was seen.
    """
    deadline = time.monotonic() + within
    while True:
        try:
            seen = condition()
            if seen:
                return seen
        except quiet as error:
            seen = repr(error)
        if time.monotonic() > deadline:
            raise Late(f"after {within} s still not: {what}; last seen: {seen!r}")
        time.sleep(pause)


def holds(condition, during, what, pause=PAUSE_S):
    """Asserts that `condition` is true again and again for `during` seconds."""
    deadline = time.monotonic() + during
    while time.monotonic() < deadline:
        assert condition(), what
        time.sleep(pause)
