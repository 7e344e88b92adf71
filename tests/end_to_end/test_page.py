"""The page in a real browser, on a whole system: what people see, do, and are told when it is gone."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from infra.local.stack import Plan, Stack, pool, resource, start_stack
from infra.local.stack.plan import LOCATION
from infra.tools.browser import open_browser
from poolqueue.ports import Create
from poolqueue.records import (
    Queue,
    ResourceName,
    job_path,
    queue_path,
    resource_path,
    write_job,
    write_queue,
    write_resource,
)
from poolqueue.scheduling.jobs import Job, Outcome, State, move, record
from poolqueue.scheduling.pools import Drain, Pool, PoolKey, Reservation, Resource
from tests.end_to_end.stack_support import (
    CPU,
    GPU,
    finish,
    request,
    until_finished,
    wait_for_end,
    wait_for_requeue,
    wait_until_running,
    worker_pool_spec,
)
from tests.end_to_end.stack_support import record as record_of
from tests.end_to_end.stand_in_support import wait_for
from tests.unit.cli.building import demand, line

pytestmark = [pytest.mark.requires("browser"), pytest.mark.timeout(300)]

PATIENCE = 40_000  # milliseconds, on a machine that is busy
expect.set_options(timeout=PATIENCE)
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 360, "height": 740}
MANY = 5_000
MARKUP = '<img src=x onerror="window.hacked=1"><script>window.hacked=2</script>'
HOSTILE = f"{MARKUP}\u202e\"'`javascript:window.hacked=3"
MACHINE = PoolKey('{"machineType":"n1-standard-4"}', '{"bootDiskSizeGb":100,"bootDiskType":"pd-ssd"}')


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A busy system: one job runs, two wait, one succeeded and one failed; and what tests write beside it."""
    plan = Plan(
        persistent_resources=[resource("shown", pool("cpu", CPU, 2), pool("gpu", GPU, 1))],
        settings={
            "teams": [
                {"name": "research", "topics": ["job-requests"]},
                {"name": "vision", "topics": ["job-requests.vision"], "weight": 3},
            ],
            "pacing": {"creates_per_minute": 1000},
        },
        stand_in={"images": {"demo/": ["true"]}},
        sweep_seconds=None,
        page=True,
    )
    with start_stack(tmp_path_factory.mktemp("page"), plan) as started:
        started.publish("job-requests", request("quick", "shown"))
        started.publish(
            "job-requests",
            request("breaks", "shown", worker_pool_spec("sh", "-c", f"echo '{MARKUP}' >&2; exit 3")),
        )
        wait_for_end(started, "quick", "breaks")
        started.publish("job-requests", until_finished("holder", "shown", replicas=2))
        wait_until_running(started, "holder")
        started.sweep()
        wait_for(lambda: record_of(started, "holder").state is State.RUNNING, "the sweep that sees it run")
        started.publish("job-requests.vision", request("first", "shown", priority=90))
        started.publish("job-requests", request("second", "shown"))
        wait_for_requeue(started, "first", team="vision")
        wait_for_requeue(started, "second")
        yield started
        with contextlib.suppress(AssertionError):
            finish(started, "holder")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


@pytest.fixture
def context(browser: Browser, stack: Stack) -> Iterator[BrowserContext]:
    with browser.new_context(viewport=WIDE, color_scheme="light", base_url=stack.page_url) as made:
        yield made


class Seen:
    """What a page did beside showing itself."""

    def __init__(self, page: Page) -> None:
        self.requests: list[str] = []
        self.errors: list[str] = []
        page.on("request", lambda asked: self.requests.append(asked.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._note)
        page.on("dialog", lambda dialog: self.errors.append(dialog.message))

    def _note(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)


def opened(context: BrowserContext, fragment: str = "") -> tuple[Page, Seen]:
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    seen = Seen(page)
    page.goto(f"/{fragment}")
    page.wait_for_selector("main h1")
    return page, seen


def look_again(page: Page) -> None:
    """As when a computer is online again, instead of at the next ten seconds."""
    page.evaluate("dispatchEvent(new Event('online'))")


def name_of(stack: Stack, id_: str = "shown") -> str:
    return ResourceName(project=stack.project, location=LOCATION, id=id_).full


def row(page: Page, job_id: str) -> str:
    return page.locator("#queue tbody tr", has_text=job_id).inner_text()


def shown_resource(stack: Stack, id_: str = "shown") -> str:
    return f"#/resource/{name_of(stack, id_).replace('/', '%2F')}"


def test_who_holds_waits_and_ended_is_seen_at_one_look(context: BrowserContext, stack: Stack) -> None:
    page, seen = opened(context, shown_resource(stack))

    expect(page.locator("main h1")).to_contain_text("2 of 3 replicas in use")
    expect(page.locator("#pools .pool").first).to_contain_text("2 / 2")
    assert "needs replicas" in row(page, "first")
    assert page.locator("#queue tbody tr").first.inner_text().startswith("1")
    expect(page.locator(".bar.running").first).to_be_visible()
    assert page.locator(".bar.ended").count() == 2
    assert page.locator(".bar.planned").count() >= 1
    expect(page.locator("#outcomes")).to_contain_text("failed")
    expect(page.locator("#teams")).to_contain_text("share 75%")
    assert seen.errors == []


def test_a_job_tells_its_life_its_attempts_and_what_would_help(context: BrowserContext, stack: Stack) -> None:
    page, seen = opened(context, shown_resource(stack))

    page.locator("#queue a", has_text="second").click()
    expect(page.locator("main h1")).to_have_text("second")
    expect(page.locator("main")).to_contain_text("remedies")
    expect(page.locator("#history-title + table tbody tr")).to_have_count(2)
    page.go_back()
    page.locator(".bar.running").first.click(position={"x": 3, "y": 3})
    expect(page.locator("main h1")).to_have_text("holder")
    expect(page.locator("#attempts-title + table")).to_contain_text("still holds them")
    assert page.title() == "holder · Pool Queue"
    assert seen.errors == []


def test_what_happens_is_seen_without_reloading(context: BrowserContext, stack: Stack) -> None:
    page, _ = opened(context, shown_resource(stack))
    page.evaluate("window.sameDocument = true")

    stack.publish("job-requests", request("newcomer", "shown"))
    expect(page.locator("#queue")).to_contain_text("newcomer")
    assert page.evaluate("window.sameDocument")


def test_it_says_when_the_connection_is_gone_and_since_when_it_is_old(
    context: BrowserContext, stack: Stack
) -> None:
    page, _ = opened(context, shown_resource(stack))
    warning = page.locator("#warning")
    expect(warning).to_be_hidden()

    stack.kill("page")
    try:
        look_again(page)
        expect(warning).to_contain_text("No answer since")
        expect(warning).to_contain_text("What you see is from")
        expect(page.locator("#announcement")).to_contain_text("No answer since")
        expect(page.locator("#live-text")).to_contain_text("not live")
        expect(page.locator("#queue")).to_contain_text("first")
    finally:
        stack.restart("page")
        look_again(page)
    expect(warning).to_be_hidden(timeout=2 * PATIENCE)
    expect(page.locator("#announcement")).to_contain_text("Connected again")


def test_nothing_is_asked_of_anybody_else(context: BrowserContext, stack: Stack) -> None:
    page, seen = opened(context, shown_resource(stack))
    page.locator("#queue a", has_text="second").click()
    expect(page.locator("main h1")).to_have_text("second")

    assert seen.requests
    assert [url for url in seen.requests if not url.startswith(stack.page_url)] == []


def test_hostile_names_and_errors_stay_text(context: BrowserContext, stack: Stack) -> None:
    """Written past the intake, which would refuse most of them."""
    resource_ = _hostile(stack)
    page, seen = opened(context, shown_resource(stack, resource_.id))
    expect(page.locator("#queue")).to_contain_text("onerror")
    expect(page.locator("#pools")).to_contain_text("Drained")
    page.locator("#timeline summary").click()
    expect(page.locator("#timeline details")).to_contain_text("<script>")
    expect(page.locator("#outcomes")).to_contain_text("<img src=x")
    _assert_unharmed(page, seen)

    page.locator("#outcomes tbody a", has_text="hostile").first.click()
    expect(page.locator(".error")).to_contain_text("<script>window.hacked=2</script>")
    expect(page.locator(".error")).to_contain_text("\\u202e")
    expect(page.locator("main")).to_contain_text(MARKUP)
    _assert_unharmed(page, seen)


def test_an_address_cannot_be_made_to_do_harm(context: BrowserContext, stack: Stack) -> None:
    page, seen = opened(context, f"#/job/{MARKUP.replace('/', '%2F')}/x%2F{MARKUP.replace('/', '%2F')}")

    expect(page.locator("main h1")).to_have_text("Not here")
    assert page.locator("main img, main script").count() == 0
    assert page.evaluate("window.hacked") is None
    assert [error for error in seen.errors if "400" not in error] == []


def test_what_a_replica_printed_as_markup_stays_text(context: BrowserContext, stack: Stack) -> None:
    page, seen = opened(context, "#/job/research/breaks")

    expect(page.locator(".error")).to_contain_text("exited")
    _assert_unharmed(page, seen)


def test_the_browser_itself_refuses_markup_and_scripts_from_text(
    context: BrowserContext, stack: Stack
) -> None:
    page, _ = opened(context, shown_resource(stack))

    refused = page.evaluate(
        "() => { try { document.body.innerHTML = '<b>x</b>'; return 'taken'; } catch { return 'refused'; } }"
    )
    assert refused == "refused"
    page.evaluate(RUN_FROM_TEXT)
    assert page.evaluate("window.hacked ?? null") is None


def test_keyboard_alone_reaches_everything(context: BrowserContext, stack: Stack) -> None:
    page, _ = opened(context, shown_resource(stack))

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.locator("#queue input[type=search]").focus()
    page.keyboard.type("second")
    expect(page.locator("#queue tbody tr")).to_have_count(1)
    expect(page.locator("#announcement")).to_have_text("1 job found")
    assert page.evaluate("document.activeElement.name") == "text", "the focus stays where somebody types"
    page.locator("#queue tbody a").focus()
    page.keyboard.press("Enter")
    expect(page.locator("main h1")).to_have_text("second")
    assert page.evaluate("document.activeElement.id") == "title", "a reader hears where it is now"


def test_what_is_open_and_focused_stays_so_while_the_page_goes_on(
    context: BrowserContext, stack: Stack
) -> None:
    page, _ = opened(context, shown_resource(stack))
    page.locator("#timeline summary").click()
    page.locator("#timeline summary").focus()

    with page.expect_response(lambda answer: "/api/queue" in answer.url, timeout=PATIENCE):
        pass
    page.wait_for_function("document.querySelector('#live').dataset.state === 'up'")
    assert page.evaluate("document.querySelector('#timeline details').open")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
def test_no_barrier_is_found_by_axe(
    browser: Browser, stack: Stack, scheme: str, viewport: dict[str, int]
) -> None:
    context = browser.new_context(
        viewport=viewport, color_scheme=scheme, base_url=stack.page_url, bypass_csp=True
    )
    with context:
        page, _ = opened(context, shown_resource(stack))
        page.locator("#timeline summary").click()
        found = Axe().run(page).response["violations"]
        page.locator("#queue a", has_text="second").click()
        expect(page.locator("main h1")).to_have_text("second")
        found += Axe().run(page).response["violations"]

    assert [(each["id"], [node["html"] for node in each["nodes"]][:3]) for each in found] == []


@pytest.mark.parametrize("width", [320, 360, 768])
def test_a_narrow_window_needs_no_scrolling_sideways(browser: Browser, stack: Stack, width: int) -> None:
    with browser.new_context(viewport={"width": width, "height": 700}, base_url=stack.page_url) as context:
        page, _ = opened(context, shown_resource(stack))
        page.locator("#queue tbody tr").first.wait_for()

        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_five_thousand_jobs_stay_fluid(context: BrowserContext, stack: Stack) -> None:
    """Measured in the browser: what is drawn is bounded, and no act of a person's blocks it for long."""
    name = _many(stack)
    page, seen = opened(context, shown_resource(stack, name.id))
    expect(page.locator("#queue h2")).to_contain_text("5,000 jobs wait")
    page.evaluate(LONG_TASKS)

    assert page.locator("#queue tbody tr").count() == 25
    assert page.evaluate("document.querySelectorAll('*').length") < 4_000
    page.get_by_role("button", name="Last", exact=True).click()
    expect(page.locator("#queue tbody tr").last).to_contain_text("5,000")
    page.locator("#queue input[type=search]").fill("many-4321")
    expect(page.locator("#queue tbody tr")).to_have_count(1)
    page.locator("#queue input[type=search]").fill("")
    expect(page.locator("#queue tbody tr")).to_have_count(25)
    page.mouse.wheel(0, 3000)
    longest = page.evaluate("Math.max(0, ...window.longTasks)")
    assert longest < 500, f"the page was blocked for {longest} ms"
    assert seen.errors == []


RUN_FROM_TEXT = """() => {
  const script = document.createElement("script");
  try { script.text = "window.hacked = 9"; document.body.append(script); } catch { /* as it ought to be */ }
}"""

LONG_TASKS = """() => {
  window.longTasks = [];
  new PerformanceObserver((list) => window.longTasks.push(...list.getEntries().map((each) => each.duration)))
    .observe({ type: "longtask" });
}"""


# --- what tests write beside the system


def _hostile(stack: Stack) -> ResourceName:
    name = ResourceName(project=stack.project, location=LOCATION, id="hostile")
    now = datetime.now(UTC)
    held = Reservation(
        token="token",
        team=HOSTILE,
        job_id=HOSTILE,
        attempt=1,
        replicas={MACHINE: 1},
        reserved_at=now,
        submit_by=now,
        running=True,
    )
    resource_ = Resource(
        name=name.full,
        state="RUNNING",
        pools=(Pool(key=MACHINE, ids=(HOSTILE,), capacity=2),),
        reservations={"token": held},
        observed_at=now,
        drained={"*": Drain(reason=HOSTILE, author=HOSTILE, at=now)},
    )
    _write(stack, name, resource_, Queue().changed(add=[line(HOSTILE, team=HOSTILE, arrived=now)])[0])
    job = Job(
        team=HOSTILE.replace("/", "|"),
        job_id="hostile",
        resource=name.key,
        priority=1,
        digest="",
        display_name=MARKUP,
        custom_job_body=json.dumps(
            {"jobSpec": {"workerPoolSpecs": [{"containerSpec": {"imageUri": HOSTILE}}]}}
        ),
        demands=(demand(),),
        created=now - timedelta(minutes=5),
        error=f"{HOSTILE}\n{MARKUP}",
    )
    steps = [(State.RESERVED, 4, None), (State.RUNNING, 3, None), (State.ENDED, 0, Outcome.FAILED)]
    job = record(job, at=job.created)
    for state, minutes, outcome in steps:
        job = move(job, state, at=now - timedelta(minutes=minutes), outcome=outcome, note=HOSTILE)
    fields = write_job(replace(job, inbox=False), retention=timedelta(days=30))
    stack.documents.commit([Create(path=job_path(job.key), fields=fields)])
    return name


def _many(stack: Stack) -> ResourceName:
    name = ResourceName(project=stack.project, location=LOCATION, id="many")
    now = datetime.now(UTC)
    pools = (Pool(key=MACHINE, ids=("cpu",), capacity=4),)
    resource_ = Resource(
        name=name.full,
        state="RUNNING",
        pools=pools,
        observed_at=now,
        drained={"cpu": Drain(reason="r", author="a", at=now)},
    )
    lines = [
        line(f"many-{number:04}", demand(1 + number % 4), arrived=now - timedelta(seconds=MANY - number))
        for number in range(MANY)
    ]
    _write(stack, name, resource_, Queue().changed(add=lines)[0])
    return name


def _write(stack: Stack, name: ResourceName, resource_: Resource, queue: Queue) -> None:
    fields = write_resource(replace(resource_, waiting=len(queue.lines), shards=queue.shards))
    writes = [Create(path=resource_path(name), fields=fields)]
    writes += [
        Create(path=queue_path(name, shard), fields=write_queue(queue, shard))
        for shard in range(queue.shards)
    ]
    stack.documents.commit(writes)


def _assert_unharmed(page: Page, seen: Seen) -> None:
    assert page.evaluate("window.hacked") is None
    assert page.locator("main img, main script, main iframe, main [onerror]").count() == 0
    assert page.evaluate(
        "[...document.querySelectorAll('main a')].every((a) => a.protocol.startsWith('http'))"
    )
    assert seen.errors == []
