"""Settings: one YAML file and a few environment variables. The only place that reads the environment."""

from poolqueue.config.environment import Environment, read_environment, refuse_mixture
from poolqueue.config.loading import load_settings
from poolqueue.config.parsing import SettingsError, parse_settings
from poolqueue.config.policies import policy_of
from poolqueue.config.resources import QuotaSettings, ResourceSettings
from poolqueue.config.settings import FUNCTION_TIMEOUT, Settings
from poolqueue.config.teams import USUAL_PRIORITY, PriorityBounds, Team

__all__ = [
    "FUNCTION_TIMEOUT",
    "USUAL_PRIORITY",
    "Environment",
    "PriorityBounds",
    "QuotaSettings",
    "ResourceSettings",
    "Settings",
    "SettingsError",
    "Team",
    "load_settings",
    "parse_settings",
    "policy_of",
    "read_environment",
    "refuse_mixture",
]
