"""Feeds to events: transports bring bytes, feeds give them meaning, the supervisor keeps them running."""
