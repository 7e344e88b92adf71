from __future__ import annotations

import pytest

from poolqueue.viewing.links import custom_job_link, log_link

NAME = "projects/123/locations/europe-west4/customJobs/456"


def test_a_custom_job_has_a_log_and_a_page() -> None:
    assert log_link(NAME) == (
        "https://console.cloud.google.com/logs/query;query=resource.type%3D%22ml_job%22%20"
        "resource.labels.job_id%3D%22456%22?project=123"
    )
    assert custom_job_link(NAME) == (
        "https://console.cloud.google.com/ai/platform/locations/europe-west4/training/456?project=123"
    )


@pytest.mark.parametrize("name", [None, "", "456", f"{NAME}/x", NAME.replace("456", "4;x"), "javascript:x"])
def test_what_is_no_custom_job_has_no_link(name: str | None) -> None:
    assert log_link(name) is None
    assert custom_job_link(name) is None


def test_nothing_in_a_name_becomes_another_part_of_the_address() -> None:
    hostile = 'projects/p?q#"<a>/locations/l&m/customJobs/1'

    for link in (log_link(hostile), custom_job_link(hostile)):
        assert link is not None
        assert not set('"<># &') & set(link)
        assert link.count("?") == 1
