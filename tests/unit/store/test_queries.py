"""The indexes that the database is deployed with run the way that the queries read them."""

from __future__ import annotations

import re
from pathlib import Path

from poolqueue.adapters.queries import SHAPES, Shape

TERRAFORM = Path(__file__).resolve().parents[3] / "infra" / "firestore.tf"
INDEX = re.compile(r'\{ *collection *= *"(\w+)", *field *= *"(\w+)", *order *= *"(\w+)" *\}')


def deployed() -> dict[tuple[str, str], str]:
    """The order of each index, by collection and field."""
    return {(collection, field): order for collection, field, order in INDEX.findall(TERRAFORM.read_text())}


def order_of(shape: Shape) -> str:
    return "DESCENDING" if shape.newest_first else "ASCENDING"


def test_each_query_has_an_index_in_the_order_that_it_reads() -> None:
    assert {shape.index: order_of(shape) for shape in SHAPES} == deployed()
