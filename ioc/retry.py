"""How long to wait before trying again: exponential back-off with full jitter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from random import Random


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """A schedule of waits: the n-th wait is uniform in (0, min(longest, first · 2ⁿ)]."""

    first: timedelta = timedelta(seconds=0.5)
    longest: timedelta = timedelta(seconds=30)

    def waits(self, random: Random) -> Iterator[timedelta]:
        """Give waits without end. The caller starts a new iterator after a success."""
        ceiling = self.first
        while True:
            yield ceiling * (1.0 - random.random())
            ceiling = min(self.longest, ceiling * 2)
