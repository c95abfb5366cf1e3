"""A brake on guessing passwords."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta

from ioc.api.problems import TooManyAttemptsError
from ioc.ports import Clock

_FREE = {"both": 5, "address": 20, "name": 50}
"""Wrong passwords before waits begin. A name is tried for long before it closes for everybody: whoever guesses from
elsewhere must not lock the person on duty out.
"""
_FIRST = timedelta(seconds=2)
_LONGEST = timedelta(minutes=5)
_FORGET = timedelta(hours=1)


class LoginBrake:
    """Waits that grow from 2 s to 5 min after wrong passwords: for a name from an address, an address, and a name.

    Remembers at most ``most`` names and addresses, the latest ones.
    """

    def __init__(self, clock: Clock, *, most: int = 10_000) -> None:
        self._clock, self._most = clock, most
        self._attempts: OrderedDict[tuple[str, ...], tuple[int, datetime]] = OrderedDict()

    def begin(self, name: str, address: str) -> None:
        """Count an attempt as wrong until it succeeds, so that many at once are as slow as one after another.

        Raises:
            TooManyAttemptsError: it comes too early; says how long to wait.
        """
        now = self._clock.now()
        keys = _keys(name, address)
        wait = max(self._blocked_until(key, now) for key in keys) - now
        if wait > timedelta(0):
            raise TooManyAttemptsError(wait.total_seconds())
        for key in keys:
            count, _ = self._known(key, now)
            self._attempts.pop(key, None)
            self._attempts[key] = (count + 1, now)
        while len(self._attempts) > self._most:
            self._attempts.popitem(last=False)

    def succeeded(self, name: str, address: str) -> None:
        """Take the attempt back: the password was right.

        Others' wrong guesses from the address or for the name still count: one own account must not wash them off.
        """
        both, *wide = _keys(name, address)
        self._attempts.pop(both, None)
        for key in wide:
            count, at = self._attempts.get(key, (0, self._clock.now()))
            if count > 1:
                self._attempts[key] = (count - 1, at)
            else:
                self._attempts.pop(key, None)

    def _known(self, key: tuple[str, ...], now: datetime) -> tuple[int, datetime]:
        count, at = self._attempts.get(key, (0, now))
        return (0, now) if now - at > _FORGET else (count, at)

    def _blocked_until(self, key: tuple[str, ...], now: datetime) -> datetime:
        count, at = self._known(key, now)
        excess = count - _FREE[key[0]]
        return now if excess < 0 else at + min(_LONGEST, _FIRST * 2 ** min(excess, 16))


def _keys(name: str, address: str) -> tuple[tuple[str, ...], ...]:
    return ("both", name, address), ("address", address), ("name", name)
