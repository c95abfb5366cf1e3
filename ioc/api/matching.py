"""Matchers in requests: the language of silences and of the register of suppressions."""

from __future__ import annotations

from alerts.notification.labels import explain_unknown
from alerts.notification.matchers import Matchers
from ioc.errors import InvalidRequestError


def read_matchers(text: str) -> Matchers:
    """Read which alerts a caller means.

    Raises:
        InvalidRequestError: the text is not matchers, or names what no alert has, or every alert meets it: nobody
            keeps everything quiet.
    """
    try:
        found = Matchers.parse(text)
    except ValueError as error:
        raise InvalidRequestError("bad_matchers", f"matchers: {error}") from error
    if found.are_empty:
        raise InvalidRequestError("bad_matchers", "matchers: at least one; a silence of everything is no silence")
    if (unknown := explain_unknown(item.name for item in found.items)) is not None:
        raise InvalidRequestError("bad_matchers", f"matchers: {unknown}")
    return found
