"""Ways in for bytes. A transport knows a protocol and no meaning."""
