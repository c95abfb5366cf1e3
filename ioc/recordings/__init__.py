"""Files that hold events: what ``ioc record`` writes, what the archive is made of, and how both are read again."""
