"""How jobs, resources, queues, bells, paces, serial keys and settings are written and read."""

from poolqueue.records.bells import Bell, bell_path, read_bell, write_bell
from poolqueue.records.expiry import EXPIRES, expiring
from poolqueue.records.forecasts import forecasts_path, read_scorecard, write_scorecard
from poolqueue.records.jobs import (
    ARRIVAL_FIELDS,
    endings_inbox,
    job_path,
    read_arrival,
    read_job,
    write_job,
)
from poolqueue.records.names import ResourceName, pace_path, region_key, resource_path
from poolqueue.records.paces import read_pace, write_pace
from poolqueue.records.pauses import PAUSES_PATH, read_pauses, read_words_on_teams, write_pauses
from poolqueue.records.queues import Line, Queue, queue_path, read_queue, write_queue
from poolqueue.records.resources import read_resource, write_resource
from poolqueue.records.run_times import read_run_times, run_times_path, write_run_times
from poolqueue.records.serial_keys import read_serial_key, serial_key_path, write_serial_key
from poolqueue.records.settings import SettingsVersion, read_settings_version
from poolqueue.records.templates import Template, read_template, template_path, write_template
from poolqueue.records.usage import read_usage, usage_path, write_usage

__all__ = [
    "ARRIVAL_FIELDS",
    "EXPIRES",
    "PAUSES_PATH",
    "Bell",
    "Line",
    "Queue",
    "ResourceName",
    "SettingsVersion",
    "Template",
    "bell_path",
    "endings_inbox",
    "expiring",
    "forecasts_path",
    "job_path",
    "pace_path",
    "queue_path",
    "read_arrival",
    "read_bell",
    "read_job",
    "read_pace",
    "read_pauses",
    "read_queue",
    "read_resource",
    "read_run_times",
    "read_scorecard",
    "read_serial_key",
    "read_settings_version",
    "read_template",
    "read_usage",
    "read_words_on_teams",
    "region_key",
    "resource_path",
    "run_times_path",
    "serial_key_path",
    "template_path",
    "usage_path",
    "write_bell",
    "write_job",
    "write_pace",
    "write_pauses",
    "write_queue",
    "write_resource",
    "write_run_times",
    "write_scorecard",
    "write_serial_key",
    "write_template",
    "write_usage",
]
