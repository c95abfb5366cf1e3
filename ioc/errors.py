"""One tree of errors. Facts are attributes, the sentence follows, ``retryable`` tells supervisors what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import ClassVar


class IocError(Exception):
    """Root of every error that this program raises on purpose."""

    retryable: ClassVar[bool] = False


class ConfigurationError(IocError):
    """Settings or files are wrong. Lists every fault at once; the command line exits 2 with them."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("configuration is not usable:\n" + "\n".join(f"  - {fault}" for fault in self.faults))


class MalformedPayloadError(IocError):
    """A payload cannot be read at all. Never retried: its bytes go to the dead letters."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class LogUnavailableError(IocError):
    """The event log does not answer or refuses to write."""

    retryable: ClassVar[bool] = True

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"event log is not available: {reason}")


class StoreUnavailableError(IocError):
    """The database does not answer."""

    retryable: ClassVar[bool] = True

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"store is not available: {reason}")


class PositionConflictError(IocError):
    """Another replica has moved this partition's position: our batch must not be written.

    The worker gives the partition up and reads its position again; nothing is lost and nothing is doubled.
    """

    retryable: ClassVar[bool] = True

    def __init__(self, *, topic: str, partition: int, expected: int, found: int | None) -> None:
        self.topic, self.partition, self.expected, self.found = topic, partition, expected, found
        super().__init__(f"{topic}/{partition}: position is {found}, not {expected}; another replica took it over")


class SourceLostError(IocError):
    """A feed's source went away (connection closed, not reachable). The supervisor connects again."""

    retryable: ClassVar[bool] = True

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class OverloadedError(IocError):
    """We are too far behind to take more. ``retry_after`` says when to come again."""

    retryable: ClassVar[bool] = True

    def __init__(self, *, retry_after: timedelta, reason: str) -> None:
        self.retry_after, self.reason = retry_after, reason
        super().__init__(f"overloaded: {reason}; try again in {retry_after.total_seconds():.0f} s")


class NotFoundError(IocError):
    """What was asked for does not exist, or not for this caller."""

    def __init__(self, what: str, key: str) -> None:
        self.what, self.key = what, key
        super().__init__(f"no {what} {key!r}")


class RevisionConflictError(IocError):
    """Somebody else acted on the alert first. ``current`` is its present state, for the operator to look at."""

    def __init__(self, *, expected: int, current: object) -> None:
        self.expected, self.current = expected, current
        super().__init__(f"revision {expected} is not the current one")


class RefusedActionError(IocError):
    """An operator's action does not fit the alert's state, or lacks what it needs (a reason, an end).

    ``suppression_id`` is the entry of the register that stands in its way, where one does.
    """

    def __init__(self, code: str, reason: str, *, suppression_id: str | None = None) -> None:
        self.code, self.reason, self.suppression_id = code, reason, suppression_id
        super().__init__(reason)


class DepartmentsListenError(IocError):
    """A playback into the live log would tell departments of what does not happen, and nobody allowed that."""

    def __init__(self, departments: Sequence[str]) -> None:
        self.departments = tuple(departments)
        named = ", ".join(departments)
        super().__init__(f"{named} would be told of it: play into a scratch, disable their subscriptions, or allow it")


class InvalidRequestError(IocError):
    """A question or an order that makes no sense, whatever the state of things; ``code`` is for programs."""

    def __init__(self, code: str, reason: str) -> None:
        self.code, self.reason = code, reason
        super().__init__(reason)


class AccessDeniedError(IocError):
    """The caller is not known, or may not do this."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class DestinationRefusedError(IocError):
    """A webhook address that policy does not let us call (SSRF guard)."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"destination refused: {reason}")


class UnreadableFileError(IocError):
    """A recording or a file of the archive is cut short, altered, or not what its name says."""

    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path}: {reason}")


@contextmanager
def one_cause() -> Iterator[None]:
    """Raise the one error of ours that ended a group of tasks, instead of the group."""
    try:
        yield
    except BaseExceptionGroup as group:
        if (cause := _find_cause(group)) is None:
            raise
        raise cause from group


def _find_cause(group: BaseExceptionGroup[BaseException]) -> IocError | None:
    for error in group.exceptions:
        if isinstance(error, IocError):
            return error
        if isinstance(error, BaseExceptionGroup) and (inner := _find_cause(error)) is not None:
            return inner
    return None
