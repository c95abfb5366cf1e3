"""One folder per feed: configuration, a pure parser, and a page on the source."""
