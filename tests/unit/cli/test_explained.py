"""What `poolctl explain` says, in words and as JSON."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from poolqueue.cli.facts_shown import facts_grid, facts_lines
from poolqueue.scheduling.estimates import Estimate, NoEstimate, WhyNot
from poolqueue.scheduling.happenings import (
    AttemptEnds,
    JobStarts,
    Resumption,
    SettingsChange,
    SlotComesFree,
    Sweep,
    TimeComes,
)
from poolqueue.scheduling.jobs import Outcome, State
from poolqueue.scheduling.policies import Policy, Quota
from poolqueue.scheduling.pools import Drain
from poolqueue.scheduling.remedies import ShorterTimeout
from poolqueue.scheduling.traits import Traits
from poolqueue.viewing import wording
from poolqueue.viewing.explained import (
    Explained,
    explained_alone,
    explained_in,
    facts_of,
    happening_told,
)
from poolqueue.viewing.explained_json import explained_fields
from poolqueue.viewing.making import Snapshot
from poolqueue.viewing.remedies_told import remedy_told
from poolqueue.viewing.views import Expected
from tests.unit.cli.building import (
    GPU,
    LONG_ID,
    NOW,
    SMALL,
    demand,
    job,
    line,
    reservation,
    reservations,
    resource,
)

HOUR = timedelta(hours=1)
LATER = "with --deadline TIME or --max-wait DURATION"
DRAIN = Drain(reason="new driver", author="ann", at=NOW)


def explained(*lines, policy=None, slots=50, highest=100, **changes) -> Explained:
    """Of the first of these lines."""
    snapshot = Snapshot(resource=resource(**changes), waiting=lines, slots=slots, policy=policy or Policy())
    asked = job(lines[0].job_id, team=lines[0].team, demands=lines[0].demands)
    return explained_in(snapshot, asked, now=NOW, highest_priority=highest)


def facts(*lines, **changes) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    word = ""
    for its_word, told in facts_of(explained(*lines, **changes)):
        word = its_word or word
        found.setdefault(word, []).append(told)
    return found


def held(n=3, **more):
    fields = {"replicas": {SMALL: n}, "traits": Traits(timeout=7200), **more}
    return {"reservations": reservations(reservation("a", **fields))}


def test_it_tells_numbers_holders_turn_event_and_remedies() -> None:
    told = facts(line("j", demand(2)), **held())

    assert told["reason"] == ["needs_replicas: small: needs 2, 1 free"]
    assert told["small"] == ["needs 2 of 4; 1 free; short by 1", "held by research/a x3"]
    assert told["turn"] == ["1 of 1; nobody before it wants its pools"]
    assert told["could start"][0].startswith("when research/a ends, expected by ")
    assert told["remedies"] == [
        "ask for it anew with fewer replicas: 1 instead of 2 on small",
        "ask for it anew on gpus instead of small",
        "grow small by 1, to 5",
    ]


def test_it_tells_who_comes_first_and_takes_what_is_free() -> None:
    first = line("first", demand(3), priority=5)
    told = facts(line("j", demand(2), priority=1), first)

    assert told["small"] == ["needs 2 of 4; 4 free, of which jobs before it take 3 now; short by 1"]
    assert told["turn"] == ["2 of 2; before it, for its pools: research/first x3"]
    assert told["remedies"][0] == "raise its priority from 1 to 6: poolctl priority j 6 --reason TEXT"
    assert "a higher priority" in facts(line("j", demand(2), priority=1), first, highest=5)["not enough"][0]


def test_it_tells_what_a_team_may_have() -> None:
    policy = Policy(quotas={"research": {"small": Quota(maximum=3)}})
    told = facts(line("j", demand(2)), policy=policy, **held(2))

    assert "team research has 2 of the 3 that it may have" in told["reason"][0]
    assert told["could start"][1] == "when somebody changes the quotas"
    assert "raise what team research may have: 1 more of small" in told["remedies"]


def test_it_tells_who_could_lend() -> None:
    policy = Policy(quotas={"vision": {"small": Quota(guaranteed=3, lends=False)}})

    assert (
        "let team vision lend what is guaranteed to it"
        in facts(line("j", demand(2)), policy=policy)["remedies"]
    )


def test_it_tells_the_commands_that_resume_and_when_time_alone_is_enough() -> None:
    drained = facts(line("j"), drained={"*": DRAIN, "small": DRAIN})
    early = facts(line("j", not_before=NOW + HOUR))

    assert drained["remedies"] == ["resume it: poolctl resume gpu-a && poolctl resume gpu-a --pool small"]
    assert early["could start"] == ["at 19:00:00 UTC, in 1h00m"]
    assert early["remedies"] == ["wait until 19:00:00 UTC: time alone lets it start"]


def test_it_tells_whom_it_would_delay_and_a_timeout_that_ends_before_that() -> None:
    asked = line("j", traits=Traits(timeout=86_400))
    found = explained(asked, slots=0)
    remedy = ShorterTimeout(to=6_900)

    assert found.explanation is not None
    assert remedy_told(remedy, found.explanation, found.names, found.job, NOW) == (
        "ask for it anew with a timeout of 1h55m (6900 s) instead of 1d00h"
    )
    planned = JobStarts(key="research.large", at=NOW + HOUR)
    assert happening_told(planned, NOW) == (
        "when research/large has started, planned for 19:00:00 UTC, in 1h00m"
    )


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (Outcome.FAILED, "see why: poolctl logs j; once that is put right: poolctl retry j --reason TEXT"),
        (Outcome.CANCELLED, "if it is to run after all: poolctl retry j --reason TEXT"),
        (
            Outcome.EXPIRED,
            f"if it may wait longer: poolctl retry j --reason TEXT, {LATER}",
        ),
        (Outcome.LOST, "look whether its output is there; if not: poolctl retry j --reason TEXT"),
        (Outcome.REJECTED, "publish it again, corrected; its job_id may be used again"),
        (Outcome.SUCCEEDED, None),
    ],
)
def test_of_a_job_that_did_not_succeed_it_tells_what_to_do_next(outcome: Outcome, told: str | None) -> None:
    ended = explained_alone(job("j", state=State.ENDED, outcome=outcome), now=NOW)

    assert dict(facts_of(ended)).get("next") == told


def test_a_resource_that_is_not_ready_has_no_remedy_but_a_sweep() -> None:
    told = facts(line("j"), state="REBOOTING")

    assert told["could start"] == ["when a sweep, every minute, sees that Vertex AI has room for it"]
    assert told["remedies"] == ["no single change that was tried is enough"]


def test_many_are_named_by_the_first_few() -> None:
    many = [line(f"b{n}", demand(4), priority=9) for n in range(7)]
    told = facts(line("j", demand(4)), *many)

    (turn,) = told["turn"]
    assert turn.startswith("8 of 8; before it, for its pools: research/b0 x4, research/b1 x4, ")
    assert turn.endswith(" … and 4 more, 28 replicas in all")


def test_every_happening_has_words() -> None:
    several = AttemptEnds(key="research.a", at=NOW + HOUR, others=2)

    assert happening_told(several, NOW).startswith("when research/a and 2 before it have ended")
    for each in (
        JobStarts(key="research.a", at=None),
        TimeComes(at=NOW),
        Resumption(),
        SettingsChange(),
        SlotComesFree(),
        Sweep(),
    ):
        assert happening_told(each, NOW)


def test_as_json_every_remedy_has_its_kind_and_pools_have_their_names() -> None:
    fields = explained_fields(explained(line("j", demand(2)), **held()))
    told = json.loads(json.dumps(fields))

    assert told["position"] == 1
    assert told["could_start"][0]["kind"] == "attempt_ends"
    assert told["remedies"][0] == {"kind": "fewer_replicas", "to": {"small": 1}}
    assert told["remedies"][1] == {"kind": "use_pool", "pool": "gpus", "instead_of": "small"}
    assert told["needs"][0]["short_by"] == 1


@settings(max_examples=20, deadline=None)
@given(st.text(max_size=60), st.integers(30, 100))
def test_any_text_is_shown_harmlessly_at_any_width(text: str, width: int) -> None:
    lines = [line(LONG_ID, demand(2)), line(text, demand(1, GPU), team=text)]
    drain = Drain(reason=text, author=text, at=NOW)
    found = [*facts_of(explained(*lines, drained={"small": drain}, **held(team=text)))]
    console = Console(width=width, record=True, file=None, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(facts_grid(found))

    assert all(each.isprintable() for each in facts_lines(found))
    assert all(cell_len(each) <= width for each in captured.get().splitlines())


def test_a_job_that_starts_now_has_no_remedies() -> None:
    told = facts(line("j"))

    assert told["reason"] == ["fits now: the next admission cycle starts it"]
    assert "remedies" not in told


def test_an_estimate_is_told_with_what_it_rests_on_or_why_there_is_none() -> None:
    estimate = Estimate(
        start_p50=NOW + HOUR,
        start_p90=NOW + 3 * HOUR,
        end_p50=NOW + 2 * HOUR,
        end_p90=NOW + 4 * HOUR,
        basis=12,
        level=1,
        sampled=(3600.0, 10_800.0),
    )
    told = wording.expected(Expected(estimate=estimate, as_of=NOW))

    assert told.startswith("to start in ")
    assert told.endswith("(chances of 50% and 90%); from 12 similar runs")
    for why in WhyNot:
        assert wording.expected(Expected(estimate=NoEstimate(why=why), as_of=NOW)).startswith("no estimate: ")
