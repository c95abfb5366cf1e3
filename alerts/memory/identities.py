"""Whose labels are whose: two open alerts of one rule never have the same, or each would end the other."""

from __future__ import annotations

from collections.abc import Sequence

from alerts.memory.series import Series

_SWEPT_FROM = 1_024


class Identities:
    """The open conditions of a partition by the fingerprint of their labels.

    It is looked at when an alert begins, never at a reading. What has ended is found out then, and swept away whenever
    twice as many are known as were open at the last sweep.
    """

    def __init__(self, series: Sequence[dict[str, Series]]) -> None:
        self._series = series
        self._owners: dict[bytes, tuple[int, str]] = {}
        self._swept_at = _SWEPT_FROM

    def claim(self, fingerprint: bytes, index: int, key: str) -> bool:
        """Take labels for the condition ``key`` of the rule at ``index``; False where another that is open has them."""
        owner = self._owners.get(fingerprint)
        if owner is not None and owner != (index, key) and self._is_open(fingerprint, *owner):
            return False
        self._owners[fingerprint] = (index, key)
        if len(self._owners) > self._swept_at:
            self._owners = {mark: held for mark, held in self._owners.items() if self._is_open(mark, *held)}
            # The one that begins is open in a moment.
            self._owners[fingerprint] = (index, key)
            self._swept_at = max(_SWEPT_FROM, 2 * len(self._owners))
        return True

    def _is_open(self, fingerprint: bytes, index: int, key: str) -> bool:
        series = self._series[index].get(key)
        return series is not None and series.last is not None and series.last.fingerprint == fingerprint
