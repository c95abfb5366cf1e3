"""The daily reports of the 54 commune-level units."""
