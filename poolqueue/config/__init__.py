"""Settings: one YAML file and a few environment variables. The only place that reads the environment."""

from poolqueue.config.differences import Difference, differences
from poolqueue.config.environment import Environment, read_environment, refuse_mixture
from poolqueue.config.loading import load_settings, read_settings_text
from poolqueue.config.parsing import SettingsError, parse_settings
from poolqueue.config.policies import policy_of
from poolqueue.config.resources import QuotaSettings, ResourceSettings
from poolqueue.config.settings import FUNCTION_TIMEOUT, Settings
from poolqueue.config.teams import USUAL_PRIORITY, PriorityBounds, Team
from poolqueue.config.topology import topology_notes

__all__ = [
    "FUNCTION_TIMEOUT",
    "USUAL_PRIORITY",
    "Difference",
    "Environment",
    "PriorityBounds",
    "QuotaSettings",
    "ResourceSettings",
    "Settings",
    "SettingsError",
    "Team",
    "differences",
    "load_settings",
    "parse_settings",
    "policy_of",
    "read_environment",
    "read_settings_text",
    "refuse_mixture",
    "topology_notes",
]
