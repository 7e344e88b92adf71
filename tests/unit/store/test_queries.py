"""The indexes that the queries need are the ones that the database is deployed with."""

from __future__ import annotations

import re
from pathlib import Path

from poolqueue.adapters.queries import INDEXES, SHAPES, Shape

TERRAFORM = Path(__file__).resolve().parents[3] / "infra" / "firestore.tf"
INDEX = re.compile(r'\{ *collection *= *"(\w+)", *field *= *"(\w+)", *order *= *"(\w+)" *\}')
COLLECTIONS = re.compile(r"collections *= *toset\((\[[^\]]*\])\)")


def deployed() -> dict[tuple[str, str], str]:
    """The order of each index, by collection and field."""
    return {(collection, field): order for collection, field, order in INDEX.findall(TERRAFORM.read_text())}


def order_of(shape: Shape) -> str:
    return "DESCENDING" if shape.newest_first else "ASCENDING"


def test_each_query_has_its_index_and_each_index_its_query() -> None:
    assert set(deployed()) == INDEXES


def test_an_index_has_the_order_that_its_query_reads_it_in() -> None:
    assert {shape.index: order_of(shape) for shape in SHAPES} == deployed()


def test_all_other_fields_of_a_collection_with_indexes_are_exempt() -> None:
    (names,) = COLLECTIONS.findall(TERRAFORM.read_text())
    assert {collection for collection, _ in INDEXES} <= set(re.findall(r'"(\w+)"', names))
