from __future__ import annotations

import json

from tests.support.installation import Installation, request, worker_pool_spec


def test_what_is_not_ascii_is_stored_as_it_came_and_reaches_vertex_ai(installation: Installation) -> None:
    container = {"imageUri": "demo/image", "env": [{"name": "TITLE", "value": "é" * 110_000}]}
    body = request("large", worker_pool_spec(containerSpec=container))

    installation.ask(json.dumps(body, ensure_ascii=False).encode())

    job = installation.job("large")
    assert len(job.custom_job_body.encode()) < 256 * 1024
    sent = installation.call("GET", job.custom_job or "")
    assert sent["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]["env"] == container["env"]
