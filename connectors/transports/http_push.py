"""HTTP push without HTTP: a body and its content type in, counts out. The ASGI route of ``ioc.api`` stands in front."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.feed import Feed, Form
from connectors.intake import Intake
from ioc.domain.events import Parsed
from ioc.errors import IocError, MalformedPayloadError, NotFoundError
from ioc.ports import Clock

FORM_OF_CONTENT = {
    "application/json": Form.JSON,
    "application/x-ndjson": Form.NDJSON,
    "application/jsonl": Form.NDJSON,
    "application/x-jsonlines": Form.NDJSON,
    "application/cap+xml": Form.CAP,
    "application/x-protobuf": Form.GTFS_RT,
    "application/ld+json": Form.NGSI_LD,
}
_PUSHED = frozenset(FORM_OF_CONTENT.values())


class UnsupportedContentError(IocError):
    """The content type is none that the feed can be pushed in (HTTP 415)."""

    def __init__(self, content_type: str) -> None:
        self.content_type = content_type
        super().__init__(f"content type must be one of {', '.join(FORM_OF_CONTENT)}")


class TooLargeError(IocError):
    """More records or bytes in one request than we take (HTTP 413). Nothing of it was taken."""

    def __init__(self, *, what: str, limit: int) -> None:
        self.what, self.limit = what, limit
        super().__init__(f"at most {limit} {what} in one request")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """One record that went to the dead letters: its place in the body, from 0, and why."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PushResult:
    """What became of a pushed body; every part of it is on the log when this is handed out.

    ``accepted_count`` counts events: a weather warning for three areas counts three.
    """

    accepted_count: int
    rejected_count: int
    ignored_count: int
    rejections: tuple[Rejection, ...]

    def to_wire(self) -> dict[str, object]:
        """Give the answer's JSON fields."""
        return {
            "accepted": self.accepted_count,
            "rejected": self.rejected_count,
            "ignored": self.ignored_count,
            "rejections": [{"index": rejection.index, "reason": rejection.reason} for rejection in self.rejections],
        }


class HttpPush:
    """Takes pushed bodies for the feeds of this deployment."""

    def __init__(
        self,
        feeds: Mapping[str, Feed],
        intake: Intake,
        clock: Clock,
        *,
        most_records: int = 1_000,
        most_bytes: int = 4 * 1024 * 1024,
    ) -> None:
        self._feeds = feeds
        self._intake = intake
        self._clock = clock
        self._most_records = most_records
        self.most_bytes = most_bytes

    async def receive(self, feed_id: str, body: bytes, content_type: str) -> PushResult:
        """Parse a body and put all of it on the log.

        Raises:
            NotFoundError: no such feed here, or it cannot be pushed.
            UnsupportedContentError: a content type that says nothing to us, or that this feed does not speak.
            TooLargeError: too many bytes or records; nothing was taken.
            OverloadedError: come again after ``retry_after``; nothing was taken.
            MalformedPayloadError: the body cannot be read at all; its bytes are in the dead letters.
            LogUnavailableError: the log did not confirm; sending the same again is safe.
        """
        feed = self._feeds.get(feed_id)
        if feed is None or not _PUSHED & feed.forms:
            raise NotFoundError("feed", feed_id)
        form = FORM_OF_CONTENT.get(content_type.partition(";")[0].strip().lower())
        if form is None or form not in feed.forms:
            raise UnsupportedContentError(content_type)
        if len(body) > self.most_bytes:
            raise TooLargeError(what="bytes", limit=self.most_bytes)
        self._intake.check_load()
        received_at = self._clock.now()
        try:
            parsed = feed.parse(body, received_at=received_at, form=form)
        except MalformedPayloadError as error:
            await self._intake(feed.bury(body, error.reason), feed_id=feed_id, received_at=received_at)
            raise
        if len(parsed.events) + len(parsed.rejected) + parsed.ignored_count > self._most_records:
            raise TooLargeError(what="records", limit=self._most_records)
        await self._intake(parsed, feed_id=feed_id, received_at=received_at)
        return _summarise(parsed)


def _summarise(parsed: Parsed) -> PushResult:
    return PushResult(
        accepted_count=len(parsed.events),
        rejected_count=len(parsed.rejected),
        ignored_count=parsed.ignored_count,
        rejections=tuple(
            Rejection(index=record.index, reason=record.reason)
            for record in sorted(parsed.rejected, key=lambda record: record.index)
        ),
    )
