"""Settings of the NGSI-LD feed."""

from __future__ import annotations

from connectors.open_formats import OpenFormatConfig


class NgsiLdConfig(OpenFormatConfig):
    """How context brokers are listened to."""
