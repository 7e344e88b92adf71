"""`poolctl`, the operators' command: what it shows, and the commands it publishes."""
