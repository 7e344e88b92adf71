"""What may differ per persistent resource: its policy, and how long a job may be pending there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Self

from pydantic import Field, model_validator

from poolqueue.config.values import Duration, Model, Name, PoolId, Replicas, Word
from poolqueue.scheduling.policies import Ordering, Policy, Preemption, Quota

_USUAL = Policy()


class QuotaSettings(Model):
    """A team's replicas of one pool, as `scheduling.policies.Quota` says."""

    guaranteed: Replicas = 0
    maximum: Replicas | None = None
    lends: bool = True
    borrows: bool = True

    @model_validator(mode="after")
    def _what_is_guaranteed_may_be_had(self) -> Self:
        if self.maximum is not None and self.maximum < self.guaranteed:
            raise ValueError(
                f"maximum {self.maximum} is below guaranteed {self.guaranteed}: raise it or lower the other"
            )
        if not self.borrows and self.maximum is not None:
            raise ValueError(
                "without borrowing the maximum is what is guaranteed: leave maximum out, or let it borrow"
            )
        return self

    def quota(self) -> Quota:
        return Quota(guaranteed=self.guaranteed, maximum=self.maximum, lends=self.lends, borrows=self.borrows)


class ResourceSettings(Model):
    """The settings of one persistent resource, or those of every one that says nothing else.

    `quotas` are by team and pool id; the pool `*` stands for each that is not named.
    """

    max_pending: Duration = timedelta(minutes=30)
    ordering: Ordering = _USUAL.ordering
    firm_after: Duration = _USUAL.firm_after
    share_half_life: Duration = _USUAL.share_half_life
    preemption: Annotated[Preemption, Word] = _USUAL.preemption
    max_preemptions: int = Field(default=_USUAL.max_preemptions, ge=0, le=1000)
    quotas: Mapping[Name, Mapping[PoolId, QuotaSettings]] = Field(default_factory=dict)

    def over(self, defaults: ResourceSettings) -> ResourceSettings:
        """The fields that are set here, the others from `defaults`."""
        return defaults.model_copy(update={name: getattr(self, name) for name in self.model_fields_set})
