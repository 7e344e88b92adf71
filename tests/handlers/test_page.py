"""The page through its handler: what a browser gets of an installation, what not, and what that costs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from handlers import page as page_handler
from poolqueue.page.answers import Answer
from poolqueue.page.page import OUTCOMES_SIZE, PAGE_SIZE, READ_SECONDS, Page
from poolqueue.page.past import MOST
from poolqueue.ports import StoreUnavailable
from tests.support.installation import GPU, Installation, custom_job, pool, request, worker_pool_spec

MARKUP = "<img src=x onerror=alert(1)><script>alert(2)</script>"
HOSTILE = f"{MARKUP}\u202e"
SECRET = "hunter2-is-a-secret"
BOTH = (worker_pool_spec(), worker_pool_spec())  # replicas of the only pool


class Browser:
    """Asks the page of an installation."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self.seconds = 0.0
        self.page = Page(
            documents=installation.documents,
            settings=lambda: installation.system.refreshed().settings,
            clock=installation.clock,
            monotonic=lambda: self.seconds,
            cpu=lambda: 0.0,
        )

    def answer(
        self, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, **query: Any
    ) -> Answer:
        environ = EnvironBuilder(
            path=path, method=method, query_string=query, headers=headers or {}
        ).get_environ()
        return page_handler.handle(self.page, Request(environ))

    def ask(self, path: str, **query: Any) -> dict[str, Any]:
        answer = self.answer(path, **query)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def resource(self) -> dict[str, Any]:
        return self.ask("/api/resource", name=self._installation.name.full)

    def queue(self, **query: Any) -> dict[str, Any]:
        return self.ask("/api/queue", name=self._installation.name.full, **query)

    def later(self) -> None:
        self.seconds += READ_SECONDS + 1


@pytest.fixture
def browser(installation: Installation) -> Browser:
    return Browser(installation)


def ids(jobs: list[dict[str, Any]]) -> list[str]:
    return [each["job_id"] for each in jobs]


def test_pools_their_holders_and_the_queue_are_shown(installation: Installation, browser: Browser) -> None:
    installation.ask(request("holds", *BOTH))
    installation.ask(request("waits"))

    overview = browser.ask("/api/overview")
    (shown,) = overview["resources"]
    assert (shown["name"], shown["waiting"], shown["holding"]) == (installation.name.full, 1, 1)
    (pool_,) = shown["pools"]
    assert (pool_["capacity"], pool_["reserved"], pool_["free"]) == (2, 2, 0)
    assert pool_["teams"] == [{"team": "research", "replicas": 2}]
    (waiting,) = browser.queue()["jobs"]
    assert (waiting["position"], waiting["job_id"], waiting["reason"]) == (1, "waits", "needs_replicas")
    (chart,) = browser.resource()["charts"]
    assert [(bar["kind"], bar["job_id"], bar["blocks"]) for bar in chart["bars"]] == [
        ("starting", "holds", [[0, 2]]),
        ("planned", "waits", [[0, 1]]),
    ]


def test_what_ended_stays_in_the_chart_and_among_the_outcomes(
    installation: Installation, browser: Browser
) -> None:
    installation.ask(request("ended"))
    installation.wait_running("ended")
    installation.sweep()
    installation.finish("ended", "FAILED", error={"code": 3, "message": "Replica 0 exited with 137."})

    (outcome,) = browser.ask("/api/outcomes")["jobs"]
    assert (outcome["job_id"], outcome["outcome"], outcome["attempts"]) == ("ended", "failed", 1)
    assert "137" in outcome["error"]
    (bar,) = browser.resource()["charts"][0]["bars"]
    assert (bar["kind"], bar["outcome"], bar["replicas"]) == ("ended", "failed", 1)
    assert bar["start"] < bar["end"]


def test_a_job_is_shown_with_its_attempts_its_history_and_why_it_waits(
    installation: Installation, browser: Browser
) -> None:
    installation.ask(request("holds", *BOTH))
    installation.ask(request("waits"))

    holds = browser.ask("/api/job", team="research", job_id="holds")
    waits = browser.ask("/api/job", team="research", job_id="waits")
    assert [each["attempt"] for each in holds["attempted"]] == [1]
    assert [each["state"] for each in holds["history"]] == installation.states("holds")
    assert holds["specs"] == [{"image": "demo/image", "replicas": "1"}] * 2
    assert (waits["state"], waits["position"]) == ("queued", 1)
    assert ["remedies", "grow shared-0 by 1, to 3"] in waits["facts"] or any(
        word == "remedies" for word, _ in waits["facts"]
    )


def test_estimates_and_forecasts_are_shown(installation: Installation, browser: Browser) -> None:
    installation.ask(request("holds", *BOTH))
    installation.ask(request("waits"))

    told = browser.ask("/api/estimates", name=installation.name.full)
    assert told["jobs"]["research.waits"] == {"expected": None, "no_estimate": "thin_basis"}
    assert browser.resource()["accuracy"] == {"latest": None, "ever": 0, "open": 0, "overdue": 0}


def test_an_array_is_one_row_and_its_members_tell_of_it(installing: Any) -> None:
    installation = installing(pools=[pool(replicas=2)])
    browser = Browser(installation)
    installation.ask(request("many", array={"list": [{"n": n} for n in range(9)], "max_parallel": 1}))

    assert ids(browser.queue()["jobs"]) == ["many"]
    told = browser.ask("/api/job", team="research", job_id="many.8")["array"]
    assert (told["members"], told["waiting"], told["active"], told["max_parallel"]) == (9, 8, 1, 1)
    bars = browser.resource()["charts"][0]["bars"]
    assert [bar["job_id"] for bar in bars] == [f"many.{n}" for n in range(len(bars))]
    assert {bar["kind"] for bar in bars} == {"starting", "planned"}


def test_a_held_job_is_in_the_queue_without_a_turn(installation: Installation, browser: Browser) -> None:
    installation.ask(request("waits", hold=True))

    (held,) = browser.queue()["jobs"]
    assert (held["job_id"], held["position"], held["state"], held["reason"]) == (
        "waits",
        None,
        "held",
        "on_hold",
    )


def test_a_long_queue_comes_in_pages_and_can_be_searched(installing: Any) -> None:
    installation = installing(pools=[pool(replicas=1)])
    browser = Browser(installation)
    installation.ask(request("holds"))
    for number in range(PAGE_SIZE + 3):
        installation.ask(request(f"job-{number:03}"))

    first, second, beyond = (browser.queue(page=page) for page in (1, 2, 99))
    assert (first["found"], first["pages"], len(first["jobs"])) == (PAGE_SIZE + 3, 2, PAGE_SIZE)
    assert ids(second["jobs"]) == [f"job-{PAGE_SIZE + n:03}" for n in range(3)]
    assert beyond["page"] == 2
    found = browser.queue(text="JOB-00")
    assert ids(found["jobs"]) == [f"job-{n:03}" for n in range(10)]
    assert browser.queue(team="vision")["found"] == 0
    assert browser.queue(reason="needs_replicas")["found"] > 0


def test_older_outcomes_come_when_asked_for(installation: Installation, browser: Browser) -> None:
    for number in range(OUTCOMES_SIZE + 2):
        installation.ask(request(f"bad-{number:02}", worker_pool_spec(machine=GPU)))

    latest = browser.ask("/api/outcomes")
    older = browser.ask("/api/outcomes", until=latest["older"])
    assert len(latest["jobs"]) == OUTCOMES_SIZE
    assert ids(older["jobs"]) == ["bad-01", "bad-00"]
    assert older["older"] is None


# --- what must not be shown


def test_values_of_env_never_reach_the_page(installation: Installation, browser: Browser) -> None:
    container = {
        "imageUri": "demo/image",
        "command": ["true"],
        "args": [f"--token={SECRET}"],
        "env": [{"name": "TOKEN", "value": SECRET}],
    }
    installation.ask(request("secretive", *[worker_pool_spec(containerSpec=container)] * 2))
    installation.ask(request("waits", *[worker_pool_spec(containerSpec=container)] * 2))

    name = installation.name.full
    said = b"".join(
        browser.answer(path, **query).body
        for path, query in [
            ("/api/overview", {}),
            ("/api/resource", {"name": name}),
            ("/api/queue", {"name": name}),
            ("/api/estimates", {"name": name}),
            ("/api/outcomes", {}),
            ("/api/job", {"team": "research", "job_id": "secretive"}),
            ("/api/job", {"team": "research", "job_id": "waits"}),
        ]
    )
    assert b"secretive" in said
    assert SECRET.encode() not in said


def test_somebody_elses_text_is_told_as_text_that_can_be_seen(
    installation: Installation, browser: Browser
) -> None:
    """It is JSON of ASCII characters, never markup, and what turns the direction of writing is spelt out."""
    installation.ask({"job_id": "odd", "custom_job": custom_job(name=MARKUP)})
    installation.wait_running("odd")
    installation.sweep()
    installation.finish("odd", "FAILED", error={"code": 3, "message": f"{HOSTILE}\nsecond line"})

    answer = browser.answer("/api/job", team="research", job_id="odd")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.body.isascii()
    told = json.loads(answer.body)
    assert told["display_name"] == MARKUP
    assert MARKUP in told["error"]
    assert "\u202e" not in told["error"]
    assert "\\u202e" in told["error"]


# --- what is not there, and what cannot be read


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/api/job", {"team": "research", "job_id": "nobody"}, 404),
        ("/api/resource", {"name": "projects/p/locations/l/persistentResources/none"}, 404),
        ("/api/queue", {"name": "<script>"}, 400),
        ("/files/x/none.js", {}, 404),
        ("/files/x/index.html", {}, 404),
        ("/nowhere", {}, 404),
    ],
)
def test_what_is_not_there_is_told(browser: Browser, path: str, query: dict[str, str], status: int) -> None:
    answer = browser.answer(path, **query)

    assert answer.status == status
    assert set(json.loads(answer.body)["problem"]) == {"field", "value", "problem", "remedy"}


def test_nothing_can_be_changed(browser: Browser) -> None:
    answer = browser.answer("/api/overview", method="POST")

    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


def test_a_store_that_does_not_answer_is_told_as_that(installation: Installation) -> None:
    class Silent:
        def read(self, _paths: object) -> None:
            raise StoreUnavailable("silence")

        find = read

    browser = Browser(installation)
    browser.page._documents = Silent()

    answer = browser.answer("/api/overview")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "10")


def test_the_document_names_files_that_may_be_kept_for_ever(browser: Browser) -> None:
    shell = browser.answer("/")
    named = [word for word in shell.body.decode().split('"') if word.startswith("files/")]

    assert shell.headers["Cache-Control"] == "private, no-cache"
    assert len(named) == 3
    for name in named:
        answer = browser.answer(f"/{name}")
        assert answer.status == 200
        assert "immutable" in answer.headers["Cache-Control"]


# --- what it costs


def test_what_did_not_change_is_not_sent_again(installation: Installation, browser: Browser) -> None:
    installation.ask(request("holds", *BOTH))
    installation.ask(request("waits"))
    asked = [("/api/overview", {}), ("/api/queue", {"name": installation.name.full}), ("/api/outcomes", {})]
    etags = [browser.answer(path, **query).headers["ETag"] for path, query in asked]
    installation.clock.advance(seconds=20)
    browser.later()

    again = [
        browser.answer(path, headers={"If-None-Match": etag}, **query)
        for (path, query), etag in zip(asked, etags, strict=True)
    ]
    assert [(answer.status, answer.body) for answer in again] == [(304, b"")] * 3
    assert all(answer.headers["Pool-Queue-Read-At"] for answer in again)


def test_many_viewers_cost_no_more_reads_than_one(installation: Installation, browser: Browser) -> None:
    installation.ask(request("holds", *BOTH))
    for number in range(30):
        installation.ask(request(f"waits-{number}"))

    first = reads(installation, lambda: look(installation, browser))
    others = reads(installation, lambda: [look(installation, browser) for _ in range(20)])
    assert first <= 15
    assert others == 0


def test_looking_again_costs_as_much_however_much_waits_or_has_ended(installing: Any) -> None:
    installation = installing(pools=[pool(replicas=1)])
    browser = Browser(installation)
    installation.ask(request("holds"))
    for number in range(60):
        installation.ask(request(f"waits-{number}"))
        installation.ask(request(f"bad-{number}", worker_pool_spec(machine=GPU)))
    look(installation, browser)
    browser.later()

    assert reads(installation, lambda: look(installation, browser)) <= 15


def test_of_what_ended_only_the_new_is_read_and_none_is_missed(
    installation: Installation, browser: Browser
) -> None:
    def end(first: int, last: int) -> None:
        for number in range(first, last):
            installation.ask(request(f"bad-{number:03}", worker_pool_spec(machine=GPU)))

    end(0, 3)
    assert len(browser.page._ended.look(now=installation.clock())) == 3
    end(3, 70)
    found = browser.page._ended.look(now=installation.clock())
    assert [job.job_id for job in found] == [f"bad-{number:03}" for number in reversed(range(70))]
    assert len(found) <= MOST


def look(installation: Installation, browser: Browser) -> None:
    """What a browser asks for at each look at a resource."""
    name = installation.name.full
    for path, query in [
        ("/api/overview", {}),
        ("/api/resource", {"name": name}),
        ("/api/queue", {"name": name}),
        ("/api/outcomes", {}),
    ]:
        assert browser.answer(path, **query).status == 200


def reads(installation: Installation, act: Any) -> int:
    before = installation.documents.counts
    act()
    return (installation.documents.counts - before).reads
