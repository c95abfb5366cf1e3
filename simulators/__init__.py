"""A pretend city: seeded, speaks the feeds' wire formats over loopback, knows no connector."""
