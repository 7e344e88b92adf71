"""Asks a real project what Vertex AI's documentation leaves open: `python -m infra.probe_vertex --help`."""
