"""Turns the flags of `gcloud ai custom-jobs create` into the custom job that gcloud would send."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from poolqueue.requests.collecting import Problems
from poolqueue.requests.normalising import normalised
from poolqueue.requests.reading import Unreadable, read_mapping
from poolqueue.scheduling.problems import shortened

_SWITCHES = ("--enable-web-access", "--enable-dashboard-access")
_LISTS = ("--args", "--command", "--python-package-uris")
_KMS = ("--kms-key", "--kms-keyring", "--kms-location", "--kms-project")
_TEXTS = (
    "--display-name", "--region", "--project", "--persistent-resource-id", "--service-account",
    "--network", "--config", "--labels", *_KMS,
)  # fmt: skip
_PRINTING_SWITCHES = ("--quiet", "-q", "--log-http", "--user-output-enabled")
_PRINTING_TEXTS = ("--format", "--verbosity")
_SPEC_KEYS = (
    "replica-count", "machine-type", "accelerator-type", "accelerator-count", "container-image-uri",
    "executor-image-uri", "python-module", "output-image-uri",
)  # fmt: skip
_BUILD_KEYS = ("local-package-path", "script", "requirements", "extra-dirs", "extra-packages")
_SERVICE_ACCOUNT = re.compile(r".+@.+\..+|[0-9]+")


class GcloudFlagsError(ValueError):
    """The flags describe no custom job; the text says what is wrong and what to do."""


def custom_job_from_gcloud_flags(argv: Sequence[str]) -> dict[str, Any]:
    """What `gcloud ai custom-jobs create` would send for the flags in `argv`.

    Returns `{"custom_job": <REST body>, "region": <or None>, "project": <or None>}`; the words
    `gcloud ai custom-jobs create` themselves may lead `argv`. A file named by `--config` is read, by the
    same rules as a message. Raises `GcloudFlagsError` for what gcloud refuses too, and for what gcloud would
    build on the local machine first (`local-package-path`). Source: gcloud 528, whose body a test compares.
    """
    given = _given(argv)
    texts = {name: values[-1] for name, values in given.items() if name in _TEXTS}
    if not texts.get("--display-name"):
        _refuse("--display-name is missing", "name the custom job")
    spec = _job_spec(given, texts)
    custom_job: dict[str, Any] = {"displayName": texts["--display-name"], "jobSpec": spec}
    if labels := _labels(given.get("--labels", [])):
        custom_job["labels"] = labels
    if key := _kms_key(texts):
        custom_job["encryptionSpec"] = {"kmsKeyName": key}
    return {"custom_job": custom_job, "region": texts.get("--region"), "project": texts.get("--project")}


def _refuse(problem: str, remedy: str) -> NoReturn:
    raise GcloudFlagsError(f"{problem}; {remedy}")


# --- flags -----------------------------------------------------------------------------------------------


def _given(argv: Sequence[str]) -> dict[str, list[str]]:
    """For each flag the values it was given, in order."""
    given: dict[str, list[str]] = {}
    for name, value in _pairs(_without_command(argv)):
        given.setdefault(name, []).append(value)
    if not given.keys() & {"--config", "--worker-pool-spec"}:
        _refuse("neither --config nor --worker-pool-spec is given", "give at least one of them")
    return given


def _without_command(argv: Sequence[str]) -> Sequence[str]:
    words = 0
    while words < len(argv) and argv[words] in ("gcloud", "beta", "alpha", "ai", "custom-jobs", "create"):
        words += 1
    return argv[words:]


def _pairs(argv: Sequence[str]) -> Iterator[tuple[str, str]]:
    rest = iter(argv)
    for word in rest:
        name, equals, value = word.partition("=")
        if name in (*_SWITCHES, *_PRINTING_SWITCHES, *(f"--no-{switch[2:]}" for switch in _SWITCHES)):
            yield name.replace("--no-", "--"), "" if name.startswith("--no-") else "yes"
        elif name in (*_TEXTS, *_LISTS, *_PRINTING_TEXTS, "--worker-pool-spec"):
            yield name, value if equals else _next(rest, name)
        else:
            _refuse_flag(name)


def _next(rest: Iterator[str], name: str) -> str:
    value = next(rest, None)
    if value is None or (value.startswith("-") and len(value) > 1):
        _refuse(f"{name} has no value", f"write {name}=VALUE")
    return value


def _refuse_flag(name: str) -> NoReturn:
    if not name.startswith("-"):
        _refuse(f"{shortened(name)!r} is not a flag", "give flags only; put values with spaces in quotes")
    near = difflib.get_close_matches(name[:80], [*_TEXTS, *_LISTS, *_SWITCHES, "--worker-pool-spec"], n=1)
    remedy = f"did you mean {near[0]}?" if near else "put what has no flag into a file for --config"
    _refuse(f"{shortened(name)} is not a flag of gcloud ai custom-jobs create", remedy)


def _split(name: str, text: str) -> list[str]:
    """A list as gcloud reads it: commas, or another delimiter named in front as `^:^`."""
    delimiter = ","
    if text.startswith("^") and "^" in text[1:]:
        delimiter, text = text[1:].split("^", 1)
        if not delimiter:
            _refuse(f"{name} names an empty delimiter", "write it as in ^:^a:b")
    return text.split(delimiter) if text else []


def _list(given: dict[str, list[str]], name: str, *, updates: bool) -> list[str]:
    """The items of a list flag; one that `updates` adds up over repetition and takes no item twice."""
    values = given.get(name, [])
    if not updates:
        return _split(name, values[-1]) if values else []
    items = [item for value in values for item in _split(name, value)]
    for item in items:
        if items.count(item) > 1:
            _refuse(f"{name} holds {shortened(item)!r} twice, which gcloud refuses", "use --config")
    return items


def _pairs_of(name: str, text: str) -> list[tuple[str, str]]:
    pairs = []
    for item in _split(name, text):
        key, equals, value = item.partition("=")
        if not key or not equals:
            _refuse(f"{name} holds {shortened(item)!r}, which is not KEY=VALUE", "see gcloud topic escaping")
        pairs.append((key, value))
    return pairs


def _labels(values: Sequence[str]) -> dict[str, str]:
    labels: dict[str, str] = {}
    for text in values:
        for key, value in dict(_pairs_of("--labels", text)).items():
            if key in labels:
                _refuse(f"--labels gives {shortened(key)} twice", "give it once")
            labels[key] = value
    return labels


def _kms_key(texts: dict[str, str]) -> str | None:
    key = texts.get("--kms-key")
    if key is None or key.startswith("projects/"):
        return key
    ring, location = texts.get("--kms-keyring"), texts.get("--kms-location", texts.get("--region"))
    project = texts.get("--kms-project", texts.get("--project"))
    if not (ring and location and project):
        _refuse("--kms-key is not a full name", "give projects/P/locations/L/keyRings/R/cryptoKeys/K")
    return f"projects/{project}/locations/{location}/keyRings/{ring}/cryptoKeys/{key}"


# --- the custom job spec ---------------------------------------------------------------------------------


def _job_spec(given: dict[str, list[str]], texts: dict[str, str]) -> dict[str, Any]:
    """Flags override the file of `--config`, as in gcloud."""
    spec = _config(texts["--config"]) if "--config" in texts else {}
    if "--worker-pool-spec" in given:
        packages = _list(given, "--python-package-uris", updates=False)
        spec["workerPoolSpecs"] = _worker_pool_specs(given["--worker-pool-spec"], packages)
    account = texts.get("--service-account")
    if account is not None and not _SERVICE_ACCOUNT.fullmatch(account):
        _refuse(f"--service-account {shortened(account)!r} is no service account", "give its e-mail address")
    flags = {"serviceAccount": account, "network": texts.get("--network")}
    flags["persistentResourceId"] = texts.get("--persistent-resource-id") or None
    spec |= {name: value for name, value in flags.items() if value is not None}
    for switch, name in zip(_SWITCHES, ("enableWebAccess", "enableDashboardAccess"), strict=True):
        if given.get(switch, [""])[-1]:
            spec[name] = True
    _apply_to_all(spec.get("workerPoolSpecs", []), given)
    return _normalised(spec)


def _config(path: str) -> dict[str, Any]:
    try:
        return _normalised(read_mapping(Path(path).read_bytes()))
    except OSError as error:
        _refuse(f"--config {path} cannot be read ({error.strerror})", "name a readable file")
    except Unreadable as error:
        _refuse(f"--config {path}: {error.problem}", error.remedy)


def _normalised(spec: dict[str, Any]) -> dict[str, Any]:
    problems = Problems()
    body = normalised("CustomJobSpec", spec, "jobSpec", problems)
    if problems:
        raise GcloudFlagsError(
            "; ".join(f"{each.path} {each.problem}: {each.value}; {each.remedy}" for each in problems.found)
        )
    return body


def _apply_to_all(specs: Sequence[dict[str, Any]], given: dict[str, list[str]]) -> None:
    arguments, command = _list(given, "--args", updates=True), _list(given, "--command", updates=True)
    for spec in specs:
        for task in ("containerSpec", "pythonPackageSpec"):
            if arguments and task in spec:
                spec[task]["args"] = arguments
        if command and "containerSpec" in spec:
            spec["containerSpec"]["command"] = command


def _worker_pool_specs(texts: Sequence[str], packages: Sequence[str]) -> list[dict[str, Any]]:
    keys = [dict(_pairs_of("--worker-pool-spec", text)) for text in texts]
    if not keys[0]:
        _refuse("the first --worker-pool-spec is empty", "only later ones may be empty")
    return [_worker_pool_spec(each, packages) if each else {} for each in keys]


def _worker_pool_spec(keys: dict[str, str], packages: Sequence[str]) -> dict[str, Any]:
    _check_keys(keys)
    machine: dict[str, Any] = {"machineType": keys["machine-type"]}
    if keys.get("accelerator-type"):
        machine["acceleratorType"] = keys["accelerator-type"]
        machine["acceleratorCount"] = _whole(keys, "accelerator-count")
    spec: dict[str, Any] = {"machineSpec": machine, "replicaCount": _whole(keys, "replica-count")}
    if "container-image-uri" in keys:
        return spec | {"containerSpec": {"imageUri": keys["container-image-uri"]}}
    package = {"executorImageUri": keys["executor-image-uri"], "pythonModule": keys["python-module"]}
    return spec | {"pythonPackageSpec": {**package, **({"packageUris": list(packages)} if packages else {})}}


def _check_keys(keys: dict[str, str]) -> None:
    for key in keys:
        if key in _BUILD_KEYS:
            remedy = "build and push an image first, and name it as container-image-uri"
            _refuse(f"--worker-pool-spec {key} makes gcloud build an image on this machine", remedy)
        if key not in _SPEC_KEYS:
            remedy = f"valid are {', '.join(_SPEC_KEYS)}; give others, such as a disk, with --config"
            _refuse(f"--worker-pool-spec has no key {shortened(key)}", remedy)
    if not keys.get("machine-type"):
        _refuse("--worker-pool-spec has no machine-type", "name it")
    for key in ("container-image-uri", "executor-image-uri", "python-module"):
        if keys.get(key) == "":
            _refuse(f"--worker-pool-spec {key} is empty", "name it, or leave the key out")
    if "accelerator-count" in keys and "accelerator-type" not in keys:
        _refuse("--worker-pool-spec has accelerator-count without accelerator-type", "name the type")
    _check_task(keys)


def _check_task(keys: dict[str, str]) -> None:
    if ("container-image-uri" in keys) == ("executor-image-uri" in keys):
        _refuse("--worker-pool-spec needs container-image-uri or executor-image-uri", "give exactly one")
    if ("executor-image-uri" in keys) != ("python-module" in keys):
        _refuse("--worker-pool-spec needs executor-image-uri and python-module together", "give both or none")


def _whole(keys: dict[str, str], key: str) -> int:
    text = keys.get(key, "1")
    if not re.fullmatch(r"\s*[+-]?[0-9]{1,9}\s*", text):
        _refuse(f"--worker-pool-spec {key}={shortened(text)} is not a whole number", "give a number")
    return int(text)
