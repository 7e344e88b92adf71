"""What a message on `sweeps` may ask for."""

from __future__ import annotations

import json

import pytest

from handlers import swept
from tests.support.installation import LOCATION, Installation, request


@pytest.mark.parametrize(
    ("location", "id_"),
    [("evil.example#", "shared"), ("europe-west4", "shared"), (LOCATION, "x#"), (LOCATION, "")],
)
def test_what_is_no_resource_in_a_region_of_ours_is_not_looked_at(
    installation: Installation, location: str, id_: str
) -> None:
    installation.ask(request("j"))
    calls = len(installation.events("request"))
    name = f"projects/{installation.project}/locations/{location}/persistentResources/{id_}"

    swept.handle(
        installation.system, installation.delivery("sweeps", json.dumps({"resource": name}).encode())
    )

    assert len(installation.events("request")) == calls
