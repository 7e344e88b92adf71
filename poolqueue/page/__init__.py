"""The page: what it reads, the JSON that it serves, and the files that a browser shows it with."""
