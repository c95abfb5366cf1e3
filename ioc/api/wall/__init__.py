"""The server side of walls: a live picture of the province, sent to every wall as fast as each can take it."""
