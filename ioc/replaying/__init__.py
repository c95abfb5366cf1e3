"""Recording what comes in, and playing what was recorded: in a scratch of its own, or into the live log."""

from ioc.replaying.capture import Capture, record
from ioc.replaying.journal import encode_change, read_journal, write_changes
from ioc.replaying.live import LiveReplay
from ioc.replaying.player import Replay
from ioc.replaying.sources import Recording, find_recordings, recognise
from ioc.replaying.staging import Staging, Times
from ioc.replaying.summary import ReplaySummary

__all__ = [
    "Capture",
    "LiveReplay",
    "Recording",
    "Replay",
    "ReplaySummary",
    "Staging",
    "Times",
    "encode_change",
    "find_recordings",
    "read_journal",
    "recognise",
    "record",
    "write_changes",
]
