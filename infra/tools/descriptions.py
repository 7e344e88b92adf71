"""What an editor shows beside each field of a message, in a line: by the message, then by the field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ENVELOPE = {
    "job_id": "The job is known by it and its team; the same id with the same content is one job.",
    "priority": "Higher goes first; a team may have narrower bounds.",
    "display_name": "For a custom job that has none; else the job id.",
    "expected_run": "How long you expect it to run: a hint, until such jobs have shown what they take.",
    "min_run": "Once an attempt runs, it is not preempted for so long.",
    "max_preemptions": "How often it may be preempted.",
    "not_before": "It does not start earlier.",
    "deadline": "It must have ended by then; when it cannot any more, it ends expired.",
    "max_wait": "If it still waits so long after its publication, it ends expired.",
    "hold": "It waits outside of the queue until somebody releases it.",
    "retries": "Which ends are tried again, how often and after what pause.",
    "depends_on": "Jobs of the team that must have ended before it is considered.",
    "on_failed_dependency": "What becomes of it when a job that it depends on ended otherwise than asked.",
    "serial_key": "Of the team's jobs with this key only so many run at a time, at whichever resource.",
    "serial_limit": "How many with its serial key may run at a time, itself included.",
    "alternatives": "Where else it may run, in order.",
    "array": "Makes many jobs of this one request: one for each point of a grid, entry of a list, or number.",
    "custom_job": "A Vertex AI CustomJob or CustomJobSpec, in camelCase or snake_case.",
}
ARRAY = {
    "grid": "Each parameter with its values: one job for each combination.",
    "list": "The parameters of each job.",
    "size": "So many jobs, told apart by their index.",
    "max_parallel": "How many of its jobs may run at a time.",
}
DEPENDENCY = {
    "job_id": "A job of the same team.",
    "after": "How it must have ended: whatever is no success is a failure.",
}
RETRIES = {
    "attempts": "How many attempts may be charged to it, the first one too.",
    "backoff": "The pause before the first retry; each later one is twice as long.",
    "longest_backoff": "The longest pause.",
    "infrastructure": "How often what Vertex AI spoils is tried again, uncharged.",
    "rules": "What follows which end: the first that applies decides.",
}
RETRY_RULE = {
    "outcome": "It applies to what would end so.",
    "exit_code": "It applies when a replica ended with it.",
    "error": "It applies to an error of this class.",
    "text": "It applies to an error that contains this text.",
    "retry": "How often this rule may send it again: never, once, or a number of times.",
    "pool": "The pool on which it is tried again.",
    "backoff": "The pause before the first retry by this rule.",
    "longest_backoff": "The longest pause by this rule.",
}
FAILURE = {
    "charged": "How many attempts are charged by now.",
    "attempts": "How many may be.",
    "is_charged": "Whether this one is.",
    "rule": "Which rule of its retries decided, counted from 1.",
    "exit_codes": "The exit codes that were looked at.",
    "error_class": "The class of the error that was looked at.",
}
PLACE = {
    "persistent_resource": "Its id, or its full name where it is in another project or region, or any.",
    "after": "Only once it has waited so long.",
}
COMMAND = {
    "id": "Makes a repeated command the same command; derived from the message without one.",
    "kind": "What to do.",
    "team": "Whose job is meant on the administrators' topic; whom to pause or unpause.",
    "job_id": "Which job.",
    "persistent_resource": "Which persistent resource: its id or full name.",
    "pool": "One pool of it; without one, all of them.",
    "settings": "The text of a settings file.",
    "base_version": "The version that must be in force for it, 0 if none was applied.",
    "priority": "The job's new priority.",
    "deadline": "The job's new deadline; none takes it away.",
    "max_wait": "The job's new longest wait; none takes it away.",
    "alternatives": "Where else the job may run; an empty list takes all away.",
    "hold": "Requeue it held.",
    "running": "What becomes of what runs there.",
    "reason": "Why; it is recorded and shown.",
    "author": "Who asks.",
}
MEMBERS = {
    "size": "How many members it has.",
    "succeeded": "How many of them succeeded.",
    "failed": "How many of them failed.",
    "cancelled": "How many of them were cancelled.",
    "rejected": "How many of them were refused for good.",
    "expired": "How many of them expired.",
    "lost": "Of how many of them the end cannot be known.",
}
OUTCOME = {
    "job_id": "The job's id; that of a refused namesake has a suffix.",
    "team": "Whose job it is.",
    "state": "Where the job is.",
    "outcome": "How it ended; only at the end.",
    "sequence": "Counts the changes of one job: puts messages in order, and tells copies.",
    "reason": "A fixed word for why it waits, moved or was refused.",
    "note": "The reason in a sentence; may hold other people's text.",
    "attempt": "The attempt that this is about, counted from 1; 0 before the first.",
    "persistent_resource": "The full name of the persistent resource in whose queue it is.",
    "custom_job": "The full name of the attempt's Vertex AI custom job, once there is one.",
    "error": "What Vertex AI said of an attempt that ended badly; may hold other people's text.",
    "failure": "How an attempt that ended badly was judged.",
    "array": "The id of the array that this job is a member of.",
    "members": "Of an array: how many members it has, and how many of them have ended how.",
    "problems": "All that is wrong with a request that was refused.",
    "at": "When the state changed.",
    "queued": "When the request was published.",
    "submitted": "When Vertex AI accepted the attempt.",
    "started": "When the attempt began to run.",
    "ended": "When the job ended.",
}
PROBLEM = {
    "path": "The place in the request, in the envelope's form.",
    "value": "What stood there, shortened; never a value of env.",
    "problem": "What is wrong with it.",
    "remedy": "What to do about it.",
}

# The fields of a custom job, by the message of the REST reference.
CUSTOM_JOB: Mapping[str, Mapping[str, str]] = {
    "CustomJob": {
        "displayName": "A name for people; but for digits, dates and versions, similar jobs have the same.",
        "jobSpec": "What runs, where and as whom.",
        "labels": "Labels of the custom job; keys that begin with pool_queue_ are Pool Queue's.",
        "encryptionSpec": "The customer-managed key; it must be the persistent resource's.",
    },
    "CustomJobSpec": {
        "persistentResourceId": "The persistent resource in whose queue it waits: its id or full name.",
        "workerPoolSpecs": "What it needs of each pool: the first runs one replica, later ones the others.",
        "scheduling": "How long it may run, and what happens when it breaks.",
        "serviceAccount": "The service account that the job runs as.",
        "network": "The full name of the network; it must be the persistent resource's.",
        "reservedIpRanges": "Names of reserved ranges of the network.",
        "pscInterfaceConfig": "Private Service Connect interface of the job.",
        "baseOutputDirectory": "Where the job's model, checkpoints and logs go.",
        "protectedArtifactLocationId": "Location of an artifact registry for protected artifacts.",
        "tensorboard": "The full name of a TensorBoard that the logs go to; it needs a service account.",
        "enableWebAccess": "Allow an interactive shell in the running containers.",
        "enableDashboardAccess": "Allow access to the dashboard in the running containers.",
        "experiment": "The full name of the experiment's context.",
        "experimentRun": "The full name of the run's context.",
        "models": "Models that the job uses.",
    },
    "WorkerPoolSpec": {
        "containerSpec": "A container to run; this or a Python package.",
        "pythonPackageSpec": "A Python package to run; this or a container.",
        "machineSpec": "The machines, equal to those of a pool of the persistent resource.",
        "replicaCount": "How many machines; 1 in the first worker pool spec.",
        "nfsMounts": "NFS shares to be mounted.",
        "lustreMounts": "Lustre file systems to be mounted.",
        "diskSpec": "The machines' disk; filled in if one pool alone has the machine.",
    },
    "ContainerSpec": {
        "imageUri": "The container's image.",
        "command": "What to run instead of the image's entry point.",
        "args": "Its arguments.",
        "env": "Environment variables; their values are treated as secrets.",
    },
    "EnvVar": {
        "name": "The variable's name.",
        "value": "Its value; it is never shown by Pool Queue.",
    },
    "PythonPackageSpec": {
        "executorImageUri": "The image that runs the package.",
        "packageUris": "Where the package and what it needs are, in Cloud Storage.",
        "pythonModule": "The module to run.",
        "args": "Its arguments.",
        "env": "Environment variables; their values are treated as secrets.",
    },
    "MachineSpec": {
        "machineType": "Such as n1-standard-4.",
        "acceleratorType": "Such as NVIDIA_L4.",
        "acceleratorCount": "How many of them in each machine.",
        "gpuPartitionSize": "The part of a GPU, where it is partitioned.",
        "tpuTopology": "The TPUs' arrangement, such as 2x2x1.",
        "reservationAffinity": "Which reservation of machines is used.",
    },
    "ReservationAffinity": {
        "reservationAffinityType": "None, any, or those that are named.",
        "key": "The label that names reservations.",
        "values": "The full names of reservations.",
    },
    "NfsMount": {
        "server": "The NFS server's address.",
        "path": "What it exports.",
        "mountPoint": "Where it appears, below /mnt/nfs/.",
    },
    "LustreMount": {
        "instanceIp": "The instance's address.",
        "volumeHandle": "The instance's full name.",
        "filesystem": "The file system's name.",
        "mountPoint": "Where it appears.",
    },
    "DiskSpec": {
        "bootDiskType": "Such as pd-ssd.",
        "bootDiskSizeGb": "Its size, as the pool has it.",
    },
    "Scheduling": {
        "timeout": "How long an attempt may run; the team's default without it, and never past a deadline.",
        "restartJobOnWorkerRestart": "Restart the whole job when a worker was restarted.",
        "strategy": "How Vertex AI finds machines; on a persistent resource they are there.",
        "disableRetries": "Vertex AI does not try again after internal errors.",
        "maxWaitDuration": "How long Vertex AI may look for machines, with FLEX_START.",
    },
    "PscInterfaceConfig": {
        "networkAttachment": "The name of the network attachment.",
        "dnsPeeringConfigs": "Domains that are looked up in another network.",
    },
    "DnsPeeringConfig": {
        "domain": "The domain, ending in a dot.",
        "targetProject": "The project of the network.",
        "targetNetwork": "The network's name.",
    },
    "GcsDestination": {"outputUriPrefix": "A folder in Cloud Storage: gs://BUCKET/FOLDER."},
    "EncryptionSpec": {"kmsKeyName": "The full name of the key."},
}


def described(properties: Mapping[str, Any], by_field: Mapping[str, str]) -> dict[str, Any]:
    """The properties with what their fields mean; what was said of a value's form comes after."""
    return {
        name: {**schema, "description": _joined(by_field[name], schema.get("description"))}
        if name in by_field
        else schema
        for name, schema in properties.items()
    }


def _joined(meaning: str, form: str | None) -> str:
    return meaning if form is None else f"{meaning} ({form})"
