"""Reports of citizens: what about, where, and how far they are; who reported stays outside."""
