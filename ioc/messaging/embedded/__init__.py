"""The event log of a single machine: one durable SQLite file, shared by the processes on it."""

from __future__ import annotations

from ioc.messaging.embedded.log import EmbeddedLog as EmbeddedLog
