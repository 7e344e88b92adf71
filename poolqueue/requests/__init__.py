"""How a message becomes a job request: reading, fields, limits, settings."""
