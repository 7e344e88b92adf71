"""Hypothesis strategies for what is recorded."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st

from poolqueue.scheduling import pools
from poolqueue.scheduling.alternatives import Alternative
from poolqueue.scheduling.arrays import Array, ranges_of
from poolqueue.scheduling.dependency import After, Dependency, OnFailed
from poolqueue.scheduling.failures import BadEnd, Failure
from poolqueue.scheduling.jobs import Demand, Hold, Job, Move, Outcome, Reason, State
from poolqueue.scheduling.last_words import Word
from poolqueue.scheduling.pace import Pace
from poolqueue.scheduling.pools import (
    Backoff,
    Drain,
    Metered,
    Pauses,
    Pool,
    PoolKey,
    Ran,
    Reservation,
    Resource,
    Surplus,
    Unannounced,
)
from poolqueue.scheduling.retries import Pause, Retries, RetryRule
from poolqueue.scheduling.scorecard import OpenForecast, Score, Scorecard, Totals
from poolqueue.scheduling.serial_keys import Holder, Serial, SerialKey, Turn, Waiter
from poolqueue.scheduling.traits import NO_TRAITS, Traits
from poolqueue.scheduling.usage import Usage, Used
from poolqueue.scheduling.waiting import Waiting

_FIRST, _LAST = datetime.fromisoformat("2020-01-01"), datetime.fromisoformat("2100-01-01")
TIMES = st.datetimes(_FIRST, _LAST, timezones=st.just(UTC))
MAYBE_TIMES = st.none() | TIMES
IDS = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,62}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
COUNTS = st.integers(0, 10_000)
KEYS = st.builds(PoolKey, TEXTS, TEXTS)
TOKENS = st.from_regex(r"[0-9a-f]{32}", fullmatch=True)
REPLICAS = st.dictionaries(KEYS, st.integers(1, 999), max_size=3)

DEMANDS = st.builds(
    Demand, index=st.integers(0, 99), machine=TEXTS, disk=st.none() | TEXTS, replicas=st.integers(1, 999)
)
MOVES = st.builds(
    Move,
    sequence=COUNTS,
    at=TIMES,
    state=st.sampled_from(State),
    attempt=COUNTS,
    outcome=st.none() | st.sampled_from(Outcome),
    reason=st.none() | st.sampled_from(Reason),
    note=st.none() | TEXTS,
    command=st.none() | IDS,
)
HOLDS = st.lists(st.builds(Hold, reason=st.sampled_from(Reason), at=TIMES, note=TEXTS), max_size=2).map(tuple)
PROBLEMS = st.fixed_dictionaries(dict.fromkeys(("path", "value", "problem", "remedy"), TEXTS))
ENDINGS = st.fixed_dictionaries(
    {
        "key": IDS,
        "token": TOKENS,
        "custom_job": TEXTS,
        "state": TEXTS,
        "error_code": st.none() | COUNTS,
        "error": st.none() | TEXTS,
        "started": MAYBE_TIMES,
        "ended": MAYBE_TIMES,
        "resource_gone": st.booleans(),
    }
)
MAYBE_COUNTS = st.none() | COUNTS
ALTERNATIVES = st.lists(st.builds(Alternative, resource=st.none() | IDS, after=COUNTS), max_size=3).map(tuple)
TRAITS = st.just(NO_TRAITS) | st.builds(
    Traits,
    keys=st.lists(TEXTS, max_size=7).map(tuple),
    timeout=COUNTS,
    claimed=MAYBE_COUNTS,
    min_run=COUNTS,
)
SERIALS = st.none() | st.builds(Serial, key=TEXTS, limit=st.integers(1, 1_000))
PAUSES = st.builds(Pause, first=COUNTS, longest=COUNTS)
RETRIES = st.builds(
    Retries,
    attempts=COUNTS,
    rules=st.lists(
        st.builds(
            RetryRule,
            ends=st.lists(st.sampled_from(BadEnd), max_size=2).map(tuple),
            exit_codes=st.lists(COUNTS, max_size=2).map(tuple),
            error_classes=st.lists(TEXTS, max_size=2).map(tuple),
            text=st.none() | TEXTS,
            retry=MAYBE_COUNTS,
            pool=st.none() | TEXTS,
            pause=st.none() | PAUSES,
        ),
        max_size=2,
    ).map(tuple),
    infrastructure=COUNTS,
    pause=PAUSES,
    of_team=st.booleans(),
)
FAILURES = st.builds(
    Failure,
    attempt=COUNTS,
    end=st.sampled_from(BadEnd),
    exit_codes=st.lists(COUNTS, max_size=2).map(tuple),
    error_class=st.none() | TEXTS,
    error=st.none() | TEXTS,
    is_charged=st.booleans(),
    rule=MAYBE_COUNTS,
)
DEPENDENCIES = st.lists(st.builds(Dependency, job_id=IDS, after=st.sampled_from(After)), max_size=3).map(
    tuple
)
MEMBERS = st.sets(st.integers(0, 9_999), max_size=5).map(lambda numbers: sum(1 << n for n in numbers))
ARRAYS = st.builds(
    Array,
    size=st.integers(1, 10_000),
    max_parallel=MAYBE_COUNTS,
    apart=MEMBERS,
    ended=st.dictionaries(st.sampled_from([outcome.value for outcome in Outcome]), MEMBERS, max_size=3),
)
JOBS = st.builds(
    Job,
    array=st.none() | ARRAYS,
    max_parallel=MAYBE_COUNTS,
    team=IDS,
    job_id=IDS,
    resource=IDS,
    priority=st.integers(0, 100),
    digest=TEXTS,
    display_name=TEXTS,
    custom_job_body=TEXTS,
    demands=st.lists(DEMANDS, max_size=3).map(tuple),
    created=TIMES,
    variant=st.just("") | IDS,
    message_id=TEXTS,
    state=st.sampled_from(State),
    outcome=st.none() | st.sampled_from(Outcome),
    reason=st.none() | st.sampled_from(Reason),
    inbox=st.booleans(),
    attempt=COUNTS,
    sequence=COUNTS,
    token=st.none() | TOKENS,
    tokens=st.lists(TOKENS, max_size=3).map(tuple),
    custom_job=st.none() | TEXTS,
    cancel_reason=st.none() | st.sampled_from(Reason),
    not_before=MAYBE_TIMES,
    setbacks=COUNTS,
    ending=st.none() | ENDINGS,
    problems=st.lists(PROBLEMS, max_size=2).map(tuple),
    error=st.none() | TEXTS,
    submitted=MAYBE_TIMES,
    started=MAYBE_TIMES,
    ended=MAYBE_TIMES,
    history=st.lists(MOVES, max_size=4).map(tuple),
    expected_run=MAYBE_COUNTS,
    min_run=COUNTS,
    max_preemptions=MAYBE_COUNTS,
    deadline=MAYBE_TIMES,
    max_wait=MAYBE_COUNTS,
    alternatives=ALTERNATIVES,
    traits=TRAITS,
    preemptions=COUNTS,
    holds=HOLDS,
    serial=SERIALS,
    retries=RETRIES,
    failures=st.lists(FAILURES, max_size=2).map(tuple),
    depends_on=DEPENDENCIES,
    on_failed_dependency=st.sampled_from(OnFailed),
    waits_for=DEPENDENCIES,
    dependants=st.lists(IDS, max_size=3).map(tuple),
)
RESERVATIONS = st.builds(
    Reservation,
    token=TOKENS,
    team=IDS,
    job_id=IDS,
    attempt=COUNTS,
    replicas=REPLICAS,
    reserved_at=TIMES,
    submit_by=TIMES,
    number=st.none() | st.just("1234567890123456789"),
    running=st.booleans(),
    absent_since=MAYBE_TIMES,
    cancelled_at=MAYBE_TIMES,
    serial=SERIALS,
)
POOLS = st.builds(
    Pool,
    key=KEYS,
    ids=st.lists(TEXTS, min_size=1, max_size=3).map(tuple),
    capacity=COUNTS,
    used=COUNTS,
)
RANS = st.builds(
    Ran,
    traits=TRAITS,
    since=TIMES,
    seconds=st.floats(0, 1e7),
    by_itself=st.booleans(),
    team=IDS,
    replicas=REPLICAS,
)
MONTHS = st.sampled_from(["2026-11", "2026-12"])
METERED = st.dictionaries(
    KEYS, st.builds(Metered, **dict.fromkeys(("paid", "busy", "wanted"), COUNTS.map(float))), max_size=2
)
USAGES = st.builds(
    Usage,
    month=MONTHS,
    since=TIMES,
    used=st.dictionaries(
        st.tuples(IDS, KEYS), st.builds(Used, attempts=COUNTS, seconds=COUNTS.map(float)), max_size=3
    ),
    metered=METERED,
)
WORDS = st.dictionaries(
    IDS | st.just("*"),
    st.builds(Word, kind=TEXTS, command=IDS, author=TEXTS, reason=TEXTS, published=TIMES),
    max_size=3,
)
PAUSES = st.builds(
    Pauses,
    version=COUNTS,
    teams=st.dictionaries(IDS, st.builds(pools.Pause, reason=TEXTS, author=TEXTS, at=TIMES), max_size=3),
)
RESOURCES = st.builds(
    Resource,
    unsettled=st.dictionaries(IDS, TIMES, max_size=2),
    outcomes=st.dictionaries(TOKENS, RANS, max_size=3),
    metered=st.dictionaries(MONTHS, METERED, max_size=2),
    name=st.just("projects/demo-p/locations/us-central1/persistentResources/shared"),
    state=st.sampled_from(["RUNNING", "MISSING", "ERROR"]),
    created=MAYBE_TIMES,
    pools=st.lists(POOLS, max_size=3).map(tuple),
    reservations=st.lists(RESERVATIONS, max_size=3).map(lambda each: {r.token: r for r in each}),
    foreign=REPLICAS,
    surplus=REPLICAS,
    surplus_seen=st.none() | st.builds(Surplus, epoch=COUNTS, replicas=REPLICAS),
    observed_at=MAYBE_TIMES,
    epoch=COUNTS,
    released_at=st.dictionaries(KEYS, TIMES, max_size=2),
    drained=st.dictionaries(
        IDS | st.just("*"), st.builds(Drain, reason=TEXTS, author=TEXTS, at=TIMES), max_size=2
    ),
    backoffs=st.dictionaries(
        KEYS, st.builds(Backoff, until=TIMES, step=COUNTS, reason=st.sampled_from(Reason)), max_size=2
    ),
    unannounced=st.dictionaries(IDS, st.builds(Unannounced, first=COUNTS, last=COUNTS, at=TIMES), max_size=2),
    waiting=COUNTS,
    shards=st.integers(1, 9),
    last_words=WORDS,
    pauses=PAUSES,
)
PACES = st.builds(
    Pace,
    taken=st.lists(st.tuples(TIMES, COUNTS), max_size=4).map(tuple),
    blocked_until=MAYBE_TIMES,
)
WAITING = st.builds(
    Waiting,
    team=IDS,
    job_id=IDS,
    priority=st.integers(0, 100),
    arrived=TIMES,
    demands=st.lists(DEMANDS, min_size=1, max_size=2).map(tuple),
    attempt=COUNTS,
    not_before=MAYBE_TIMES,
    is_new=st.booleans(),
    traits=TRAITS,
    expires=MAYBE_TIMES,
    deadline=MAYBE_TIMES,
    alternatives=ALTERNATIVES,
    preemptions=COUNTS,
    max_preemptions=MAYBE_COUNTS,
    holds=HOLDS,
    serial=SERIALS,
    members=st.just(()) | MEMBERS.map(ranges_of),
    max_parallel=st.none() | st.integers(1, 10_000),
)
SECONDS = st.floats(0, 1e7)
FORECAST = {"made": TIMES, "p50": SECONDS, "p90": SECONDS, "sampled": st.tuples(SECONDS, SECONDS)}
SCORECARDS = st.builds(
    Scorecard,
    open=st.dictionaries(TEXTS, st.builds(OpenForecast, **FORECAST, basis=COUNTS), max_size=4),
    scores=st.lists(st.builds(Score, **FORECAST, waited=SECONDS), max_size=4).map(tuple),
    totals=st.builds(Totals, scored=COUNTS, within_p50=COUNTS, within_p90=COUNTS, withdrawn=COUNTS),
    looked=MAYBE_TIMES,
)
WAITERS = st.builds(Waiter, resource=IDS, job_id=IDS, priority=st.integers(0, 100), arrived=TIMES)
SERIAL_KEYS = st.builds(
    SerialKey,
    holders=st.lists(
        st.builds(Holder, token=TOKENS, job_id=IDS, attempt=COUNTS, resource=IDS, limit=COUNTS, since=TIMES),
        max_size=3,
    ).map(tuple),
    waiters=st.lists(WAITERS, max_size=3).map(tuple),
    turn=st.none() | st.builds(Turn, waiter=WAITERS, until=TIMES),
)
