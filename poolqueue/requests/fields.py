"""The fields of a Vertex AI custom job as REST names them.

Generated from google-cloud-aiplatform by infra/tools/generate_fields.py; a test keeps it true.
"""

# A type is string, bool, int32, int64, duration, map (of strings), a message or an enum of this
# module; `[]` after it means a list.

OUTPUT_ONLY = frozenset(
    [
        "createTime",
        "endTime",
        "error",
        "name",
        "satisfiesPzi",
        "satisfiesPzs",
        "startTime",
        "state",
        "updateTime",
        "webAccessUris",
    ]
)
MESSAGES: dict[str, dict[str, str]] = {
    "CustomJob": {
        "displayName": "string",
        "jobSpec": "CustomJobSpec",
        "labels": "map",
        "encryptionSpec": "EncryptionSpec",
    },
    "CustomJobSpec": {
        "persistentResourceId": "string",
        "workerPoolSpecs": "WorkerPoolSpec[]",
        "scheduling": "Scheduling",
        "serviceAccount": "string",
        "network": "string",
        "reservedIpRanges": "string[]",
        "pscInterfaceConfig": "PscInterfaceConfig",
        "baseOutputDirectory": "GcsDestination",
        "protectedArtifactLocationId": "string",
        "tensorboard": "string",
        "enableWebAccess": "bool",
        "enableDashboardAccess": "bool",
        "experiment": "string",
        "experimentRun": "string",
        "models": "string[]",
    },
    "WorkerPoolSpec": {
        "containerSpec": "ContainerSpec",
        "pythonPackageSpec": "PythonPackageSpec",
        "machineSpec": "MachineSpec",
        "replicaCount": "int64",
        "nfsMounts": "NfsMount[]",
        "lustreMounts": "LustreMount[]",
        "diskSpec": "DiskSpec",
    },
    "ContainerSpec": {"imageUri": "string", "command": "string[]", "args": "string[]", "env": "EnvVar[]"},
    "EnvVar": {"name": "string", "value": "string"},
    "PythonPackageSpec": {
        "executorImageUri": "string",
        "packageUris": "string[]",
        "pythonModule": "string",
        "args": "string[]",
        "env": "EnvVar[]",
    },
    "MachineSpec": {
        "machineType": "string",
        "acceleratorType": "AcceleratorType",
        "acceleratorCount": "int32",
        "gpuPartitionSize": "string",
        "tpuTopology": "string",
        "reservationAffinity": "ReservationAffinity",
    },
    "ReservationAffinity": {
        "reservationAffinityType": "ReservationAffinityType",
        "key": "string",
        "values": "string[]",
    },
    "NfsMount": {"server": "string", "path": "string", "mountPoint": "string"},
    "LustreMount": {
        "instanceIp": "string",
        "volumeHandle": "string",
        "filesystem": "string",
        "mountPoint": "string",
    },
    "DiskSpec": {"bootDiskType": "string", "bootDiskSizeGb": "int32"},
    "Scheduling": {
        "timeout": "duration",
        "restartJobOnWorkerRestart": "bool",
        "strategy": "SchedulingStrategy",
        "disableRetries": "bool",
        "maxWaitDuration": "duration",
    },
    "PscInterfaceConfig": {"networkAttachment": "string", "dnsPeeringConfigs": "DnsPeeringConfig[]"},
    "DnsPeeringConfig": {"domain": "string", "targetProject": "string", "targetNetwork": "string"},
    "GcsDestination": {"outputUriPrefix": "string"},
    "EncryptionSpec": {"kmsKeyName": "string"},
}
ENUMS: dict[str, dict[str, int]] = {
    "AcceleratorType": {
        "ACCELERATOR_TYPE_UNSPECIFIED": 0,
        "NVIDIA_TESLA_K80": 1,
        "NVIDIA_TESLA_P100": 2,
        "NVIDIA_TESLA_V100": 3,
        "NVIDIA_TESLA_P4": 4,
        "NVIDIA_TESLA_T4": 5,
        "TPU_V2": 6,
        "TPU_V3": 7,
        "NVIDIA_TESLA_A100": 8,
        "NVIDIA_A100_80GB": 9,
        "TPU_V4_POD": 10,
        "NVIDIA_L4": 11,
        "TPU_V5_LITEPOD": 12,
        "NVIDIA_H100_80GB": 13,
        "NVIDIA_H100_MEGA_80GB": 14,
        "NVIDIA_H200_141GB": 15,
        "NVIDIA_B200": 16,
        "NVIDIA_GB200": 17,
        "NVIDIA_RTX_PRO_6000": 18,
    },
    "ReservationAffinityType": {
        "TYPE_UNSPECIFIED": 0,
        "NO_RESERVATION": 1,
        "ANY_RESERVATION": 2,
        "SPECIFIC_RESERVATION": 3,
    },
    "SchedulingStrategy": {
        "STRATEGY_UNSPECIFIED": 0,
        "ON_DEMAND": 1,
        "LOW_COST": 2,
        "STANDARD": 3,
        "SPOT": 4,
        "FLEX_START": 6,
    },
}
