"""A stand-in for Vertex AI on one machine; it shares no code with the product."""

from infra.local.vertex.stand_in import StandIn

__all__ = ["StandIn"]
