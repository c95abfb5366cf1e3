"""Sources of any shape made feeds by a file: which key of their JSON or CSV is which field of which kind."""
