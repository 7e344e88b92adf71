"""What settings need outside: topics with their subscriptions, and projects with our rights, by Terraform."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from poolqueue.config.settings import Settings

PUBLISHED = "outcomes"


def topology_notes(old: Settings, new: Settings) -> list[str]:
    """What must be made, or may go, when `new` takes the place of `old`: a sentence each."""
    return [*_topics(_uses(old), _uses(new)), *_projects(old, new), *_triggers(old, new)]


def _uses(settings: Settings) -> Mapping[str, str]:
    """By topic, the function that its subscription pushes to."""
    requests = [topic for team in settings.teams for topic in team.topics]
    commands = [topic for team in settings.teams for topic in team.command_topics]
    return {
        **dict.fromkeys(requests, "job_requested"),
        **dict.fromkeys([*commands, *settings.admin_command_topics], "job_commanded"),
        settings.sweeps_topic: "swept",
        settings.outcomes_topic: PUBLISHED,
    }


def _topics(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for topic, use in new.items():
        if old.get(topic) == use:
            continue
        if use == PUBLISHED:
            yield f"Terraform must make the topic {topic}: while there is none, no job starts"
        elif topic in old and old[topic] != PUBLISHED:
            yield f"Terraform must have the subscription {topic}-push push to {use}"
        else:
            made = f"the subscription {topic}-push, which pushes to {use}"
            yield (
                f"Terraform must make {made}"
                if topic in old
                else (f"Terraform must make the topic {topic} and {made}")
            )
    for topic, use in old.items():
        if topic not in new:
            subscription = "" if use == PUBLISHED else f" and the subscription {topic}-push"
            yield f"Terraform may remove the topic {topic}{subscription}: nothing sent there is used any more"


def _projects(old: Settings, new: Settings) -> Iterator[str]:
    before = {project for project, _ in old.regions()}
    for project in dict.fromkeys(project for project, _ in new.regions()):
        if project not in before:
            yield f"Terraform must give project {project} its log sink, and the functions their rights in it"


def _triggers(old: Settings, new: Settings) -> Iterator[str]:
    if old.triggers != new.triggers:
        yield "triggers change with the next deployment only: their file is deployed with the functions"
