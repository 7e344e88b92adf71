"""From settings to the policy of one persistent resource, as the rules take it."""

from __future__ import annotations

from poolqueue.config.settings import Settings
from poolqueue.scheduling.policies import Policy


def policy_of(settings: Settings, resource_id: str) -> Policy:
    """The policy of the persistent resource of that id. A quota of the pool `*` counts for each pool that the
    team's quotas do not name.
    """
    chosen = settings.of_resource(resource_id)
    return Policy(
        ordering=chosen.ordering,
        firm_after=chosen.firm_after,
        weights={team.name: team.weight for team in settings.teams},
        quotas={
            team: {pool: quota.quota() for pool, quota in pools.items()}
            for team, pools in chosen.quotas.items()
        },
        share_half_life=chosen.share_half_life,
        preemption=chosen.preemption,
        max_preemptions=chosen.max_preemptions,
    )
