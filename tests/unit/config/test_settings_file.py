from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from poolqueue.config import (
    Environment,
    Settings,
    SettingsError,
    load_settings,
    parse_settings,
    policy_of,
    read_environment,
)
from poolqueue.scheduling.failures import BadEnd
from poolqueue.scheduling.policies import Ordering, Policy, Preemption, Quota
from poolqueue.scheduling.retries import NO_RETRIES, Pause, Retries, RetryRule

MINIMAL = """
installation: testing
project: demo-p
location: us-central1
teams: [{name: research, topics: [job-requests]}]
"""


def settings(more: str = "", *, without: str = "") -> Settings:
    lines = [line for line in MINIMAL.splitlines() if not without or not line.startswith(without)]
    return parse_settings("\n".join([*lines, more]))


def refused(text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        parse_settings(text)
    return str(caught.value)


def test_four_settings_are_enough() -> None:
    assert settings().teams[0].default_timeout == timedelta(days=1)
    assert settings().pacing.creates_per_minute < 60


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("1.5h", 5400), ("30m", 1800), ("2d", 172_800), ("45", 45), ("0.5", 0.5)],
)
def test_durations_are_written_with_their_unit_or_as_seconds(text: str, seconds: float) -> None:
    given = settings(f"timing: {{quiet_period: {text}}}")

    assert given.timing.quiet_period == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["-5s", "0", "0s", "soon", "5 weeks", "true", "[1]", "null"])
def test_what_is_no_duration_is_refused_by_path(text: str) -> None:
    assert "timing.quiet_period" in refused(f"{MINIMAL}\ntiming: {{quiet_period: {text}}}")


def test_every_wrong_field_is_named_at_once() -> None:
    told = refused(
        "installation: Not Good\nlocation: x\nteams: []\npacing: {creates_per_minute: 0}\ncolour: red"
    )

    for path in ("installation", "project", "teams", "pacing.creates_per_minute", "colour"):
        assert path in told


@pytest.mark.parametrize("text", ["", "[]", "7", "a: [b", "!!python/object/apply:os.system ['true']"])
def test_what_is_no_mapping_is_refused(text: str) -> None:
    refused(text)


def test_the_environments_project_fills_in_a_missing_one_and_replaces_none() -> None:
    without = "\n".join(line for line in MINIMAL.splitlines() if not line.startswith("project"))

    assert parse_settings(without, project="demo-e").project == "demo-e"
    assert parse_settings(MINIMAL, project="demo-e").project == "demo-p"


def test_a_topic_belongs_to_one_team() -> None:
    told = refused(
        MINIMAL.replace("[{", "[{name: vision, topics: [others], command_topics: [job-requests]}, {")
    )

    assert "job-requests" in told
    assert "vision" in told


def test_two_teams_have_two_names() -> None:
    assert "research" in refused(MINIMAL.replace("[{", "[{name: research, topics: [other]}, {"))


def test_a_default_timeout_is_no_longer_than_the_maximum() -> None:
    assert "default_timeout" in refused(MINIMAL.replace("]}", "], max_timeout: 1h}"))


def test_a_lowest_priority_above_the_highest_is_refused() -> None:
    assert "priority" in refused(MINIMAL.replace("]}", "], priority: {minimum: 9, maximum: 3}}"))


def test_no_job_may_run_for_longer_than_vertex_ai_lets_one() -> None:
    assert "teams.0.max_timeout" in refused(MINIMAL.replace("]}", "], max_timeout: 8d}"))


@pytest.mark.parametrize(
    "text", [".inf", "-.inf", ".nan", "99999999999d", "1e300", "9" * 400, "9" * 5_000, "367d"]
)
def test_a_duration_beyond_all_measure_is_refused(text: str) -> None:
    refused(f"{MINIMAL}\ntiming: {{linger: {text}}}")


@pytest.mark.parametrize("timing", ["invocation: 10h", "invocation: 10s", "call_timeout: 100s"])
def test_an_invocation_and_its_last_call_fit_a_functions_time(timing: str) -> None:
    assert "timing" in refused(f"{MINIMAL}\ntiming: {{{timing}}}")


@pytest.mark.parametrize("location", ["Mars/../x", "evil.example#", "us central1", "''", "x\\n"])
def test_a_location_is_the_name_of_one(location: str) -> None:
    assert "location" in refused(MINIMAL.replace("us-central1", f'"{location}"'))
    assert "teams.0.location" in refused(MINIMAL.replace("]}", f'], location: "{location}"}}'))


@pytest.mark.parametrize("project", ["p/../q", "P", "a b", ""])
def test_a_project_is_an_id(project: str) -> None:
    assert "project" in refused(MINIMAL.replace("demo-p", f'"{project}"'))


@pytest.mark.parametrize("topic", ["projects/p/topics/t", "ab", "1st", "a" * 256, "two words", ""])
def test_a_topic_is_a_short_name(topic: str) -> None:
    assert "teams.0.topics.0" in refused(MINIMAL.replace("job-requests", f'"{topic}"'))


@pytest.mark.parametrize("topic", ["job-outcomes", "sweeps", "job-ended", "dead-letters"])
def test_a_teams_topic_has_no_other_use(topic: str) -> None:
    assert topic in refused(MINIMAL.replace("job-requests", topic))


@pytest.mark.parametrize("more", ["outcomes_topic: sweeps", "sweeps_topic: job-commands"])
def test_our_topics_differ_from_one_another(more: str) -> None:
    assert "belongs to" in refused(f"{MINIMAL}\n{more}")


def test_settings_of_a_resource_name_one() -> None:
    assert "resource_settings" in refused(f"{MINIMAL}\nresource_settings: {{no such: {{max_pending: 1m}}}}")


def test_an_image_prefix_ends_where_a_name_does() -> None:
    told = refused(MINIMAL.replace("]}", "], image_prefixes: [europe-docker.pkg.dev/my-project]}"))

    assert "teams.0.image_prefixes.0" in told
    assert "end a folder in /" in told
    allowed = "image_prefixes: ['docker.pkg.dev/p/', 'docker.pkg.dev/p/r/i:', 'docker.pkg.dev/p/r/i@sha256:']"
    assert parse_settings(MINIMAL.replace("]}", f"], {allowed}}}"))


def test_a_teams_commands_are_not_the_administrators() -> None:
    assert "job-commands" in refused(MINIMAL.replace("]}", "], command_topics: [job-commands]}"))


def test_regions_are_those_of_the_installation_and_of_its_teams_each_once() -> None:
    european = "topics: [from-{name}], name: {name}, location: europe-west4"
    b, c = european.format(name="b"), european.format(name="c")
    given = settings(f"teams: [{{name: a, topics: [from-a]}}, {{{b}}}, {{{c}}}]", without="teams")

    assert given.regions() == [("demo-p", "us-central1"), ("demo-p", "europe-west4")]


def test_a_resource_has_its_own_settings_field_by_field_and_else_the_defaults() -> None:
    given = settings(
        "resource_defaults: {max_pending: 5m, firm_after: 2h}\nresource_settings: {gpu-a: {max_pending: 1m}}"
    )

    assert given.of_resource("gpu-a").max_pending == timedelta(minutes=1)
    assert given.of_resource("gpu-a").firm_after == timedelta(hours=2)
    assert given.of_resource("gpu-b").max_pending == timedelta(minutes=5)


def test_a_field_that_is_set_wins_even_where_it_is_the_usual_value() -> None:
    given = settings("resource_defaults: {ordering: fifo}\nresource_settings: {a: {ordering: priority}}")

    assert given.of_resource("a").ordering is Ordering.PRIORITY
    assert given.of_resource("b").ordering is Ordering.FIFO


def test_the_policy_of_a_resource_has_all_that_is_set_for_it() -> None:
    given = settings(
        """
teams: [{name: a, topics: [from-a], weight: 3}, {name: b, topics: [from-b]}]
resource_settings:
  gpu:
    {ordering: expected, firm_after: 3h, share_half_life: 2d, preemption: lent, max_preemptions: 0,
     quotas: {a: {l4: {guaranteed: 2, lends: false, borrows: false}, "*": {maximum: 1}}}}
""",
        without="teams",
    )

    assert policy_of(given, "gpu") == Policy(
        ordering=Ordering.EXPECTED,
        firm_after=timedelta(hours=3),
        weights={"a": 3.0, "b": 1.0},
        quotas={"a": {"l4": Quota(guaranteed=2, lends=False, borrows=False), "*": Quota(maximum=1)}},
        share_half_life=timedelta(days=2),
        preemption=Preemption.LENT,
        max_preemptions=0,
    )


def test_a_resource_of_which_nothing_is_said_has_the_usual_policy() -> None:
    assert policy_of(settings(), "gpu") == Policy(weights={"research": 1.0})


def test_off_is_a_word() -> None:
    assert settings("resource_defaults: {preemption: off}").resource_defaults.preemption is Preemption.OFF
    assert "preemption" in refused(f"{MINIMAL}\nresource_defaults: {{preemption: on}}")


@pytest.mark.parametrize(
    "quotas",
    [
        "research: {l4: {guaranteed: 3, maximum: 2}}",
        "research: {l4: {guaranteed: -1}}",
        "research: {l4: {maximum: 1, borrows: false}}",
        "nobody: {l4: {}}",
    ],
)
def test_a_quota_that_nobody_can_have_is_refused(quotas: str) -> None:
    assert "quotas" in refused(f"{MINIMAL}\nresource_defaults: {{quotas: {{{quotas}}}}}")
    assert "quotas" in refused(f"{MINIMAL}\nresource_settings: {{gpu: {{quotas: {{{quotas}}}}}}}")


@pytest.mark.parametrize("more", ["weight: 0", "weight: 1001", "weight: .nan", "max_waiting: 0"])
def test_a_weight_and_a_limit_are_numbers_in_reason(more: str) -> None:
    assert f"teams.0.{more.partition(':')[0]}" in refused(MINIMAL.replace("]}", f"], {more}}}"))


def test_a_default_priority_is_one_that_the_team_may_use() -> None:
    bounded = "], priority: {maximum: 40}, default_priority: %s}"

    assert parse_settings(MINIMAL.replace("]}", bounded % 40)).teams[0].default_priority == 40
    assert "0 to 40" in refused(MINIMAL.replace("]}", bounded % 41))


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("resource_default: {}", "resource_default: is not a setting; did you mean resource_defaults?"),
        ("timing: {lingr: 1s}", "timing.lingr: is not a setting; did you mean linger?"),
        (
            "resource_settings: {gpu: {quotas: {research: {l4: {max: 1}}}}}",
            "resource_settings.gpu.quotas.research.l4.max: is not a setting; did you mean maximum?",
        ),
        ("pacing: {colour: red}", "pacing.colour: is not a setting; known are creates_per_minute"),
    ],
)
def test_an_unknown_key_is_refused_with_what_may_have_been_meant(more: str, told: str) -> None:
    assert told in refused(f"{MINIMAL}\n{more}")


def test_an_unknown_key_of_a_team_is_refused_with_what_may_have_been_meant() -> None:
    told = refused(MINIMAL.replace("]}", "], wieght: 2, priority: {minium: 1}}"))

    assert "teams.0.wieght: is not a setting; did you mean weight?" in told
    assert "teams.0.priority.minium: is not a setting; did you mean minimum?" in told


@pytest.mark.parametrize(
    "part", ["resource_defaults: {patience: 1h}", "resource_settings: {a: {patience: 1h}}"]
)
def test_patience_is_refused_with_what_replaced_it(part: str) -> None:
    assert "planned start" in refused(f"{MINIMAL}\n{part}")


def test_a_key_that_is_given_twice_is_refused() -> None:
    assert "pacing is given twice" in refused(f"{MINIMAL}\npacing: {{}}\npacing: {{}}")


def test_settings_that_unfold_without_end_are_refused() -> None:
    layers = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 12)]

    assert "values" in refused("\n".join(["l0: &l0 [x]", *layers]))
    assert "values" in refused("a: &a [*a]")
    assert "deeply" in refused("a: " + "[" * 20_000)


def test_a_part_may_be_written_once_and_named_again() -> None:
    given = settings("resource_settings: {a: &usual {ordering: fifo}, b: *usual, c: {<<: *usual}}")

    assert {given.of_resource(id_).ordering for id_ in "abc"} == {Ordering.FIFO}


def test_a_topic_names_its_team() -> None:
    team = settings().team_of_topic("job-requests")

    assert team is not None
    assert team.name == "research"
    assert settings().team_of_topic("elsewhere") is None
    assert settings().team_named("nobody") is None


# --- the environment -------------------------------------------------------------------------------------


def test_the_environment_says_where_things_are() -> None:
    environment = read_environment(
        {
            "GOOGLE_CLOUD_PROJECT": "demo-p",
            "POOL_QUEUE_DATABASE": "queue",
            "POOL_QUEUE_SETTINGS": "s.yaml",
            "FIRESTORE_EMULATOR_HOST": "127.0.0.1:1",
        }
    )

    assert environment.database == "queue"
    assert environment.firestore_emulator_host == "127.0.0.1:1"
    assert environment.vertex_endpoint is None


@pytest.mark.parametrize(
    "name",
    [
        "FIRESTORE_EMULATOR_HOST",
        "PUBSUB_EMULATOR_HOST",
        "POOL_QUEUE_VERTEX_ENDPOINT",
        "POOL_QUEUE_LOGGING_ENDPOINT",
    ],
)
def test_a_local_endpoint_with_a_real_project_does_not_start(name: str) -> None:
    with pytest.raises(SettingsError, match="demo-"):
        read_environment({"GOOGLE_CLOUD_PROJECT": "prod", name: "127.0.0.1:1"})


def test_settings_are_read_from_their_file(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(MINIMAL)

    assert load_settings(Environment(settings_file=str(path))).installation == "testing"


def test_a_missing_file_or_name_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="POOL_QUEUE_SETTINGS is not set"):
        load_settings(Environment())
    with pytest.raises(SettingsError, match="readable file"):
        load_settings(Environment(settings_file=str(tmp_path / "none.yaml")))


def test_the_documented_settings_are_accepted() -> None:
    page = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
    written = re.search(r"```yaml\n(installation:.*?)```", page, re.DOTALL)

    assert written is not None
    assert parse_settings(written[1], project="demo-p").installation == "prod"


def test_a_teams_retries_say_what_a_request_could() -> None:
    retries = """
      retries:
        attempts: 4
        backoff: 1m
        rules:
        - {exit_code: 137, retry: once, pool: a100}
        - {error: [INVALID_ARGUMENT], retry: never}
        - {outcome: expired, text: preempted, longest_backoff: 10s}
    """
    text = f"installation: i\nproject: p\nlocation: l\nteams:\n    - name: a\n      topics: [from-a]{retries}"

    assert parse_settings(text).teams[0].usual_retries() == Retries(
        attempts=4,
        pause=Pause(first=60, longest=1800),
        of_team=True,
        rules=(
            RetryRule(exit_codes=(137,), retry=1, pool="a100"),
            RetryRule(error_classes=("INVALID_ARGUMENT",), retry=0),
            RetryRule(ends=(BadEnd.EXPIRED,), text="preempted", pause=Pause(first=10, longest=10)),
        ),
    )
    assert settings().teams[0].usual_retries() == NO_RETRIES


@pytest.mark.parametrize(
    ("retries", "told"),
    [
        ("{attempts: 0}", "teams.0.retries.attempts: "),
        ("{attempt: 2}", "teams.0.retries.attempt: is not a setting; did you mean attempts?"),
        ("{rules: [{exitcode: 1}]}", "retries.rules.0.exitcode: is not a setting; did you mean exit_code?"),
        ("{rules: [{}]}", "teams.0.retries.rules.0: is empty: for any failure, give outcome: failed"),
        ("{rules: [{error: OOM}]}", "retries.rules.0.error.0: OOM is not a class of errors: give one of"),
        ("{rules: [{exit_code: 300}]}", "teams.0.retries.rules.0.exit_code.0: "),
        ("{rules: [{pool: '*', retry: 1}]}", "teams.0.retries.rules.0.pool: name one pool"),
        (
            "{rules: [{exit_code: 1, retry: 3}]}",
            "teams.0.retries: rules[0].retry 3 is more often than attempts: 3 allows; give attempts: 4",
        ),
        ("{backoff: 1h, longest_backoff: 1m}", "teams.0.retries: longest_backoff 60s is shorter"),
    ],
)
def test_what_is_wrong_with_a_teams_retries_is_told_with_its_place(retries: str, told: str) -> None:
    assert told in refused(MINIMAL.replace("]}", f"], retries: {retries}}}"))
