"""The pretend city: speaks the wire formats of the feeds and imports no connector."""
