"""Starts Firestore and Pub/Sub on this machine: embedded, Google's emulators, or hosts that already run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self, assert_never

from infra.local.processes import Child, NotReady, free_port, start, start_module

FIRESTORE_HOST = "FIRESTORE_EMULATOR_HOST"
PUBSUB_HOST = "PUBSUB_EMULATOR_HOST"
PUBSUB_HTTP_HOST = "PUBSUB_EMULATOR_HTTP_HOST"

FIRESTORE_JAR = "cloud-firestore-emulator/cloud-firestore-emulator.jar"
FIRESTORE_CLASS = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"
PUBSUB_JARS = "pubsub-emulator/lib/*pubsub*.jar"
TRIES_FOR_A_PORT = 3

# They live for a minute: compiling their code well takes longer than running it.
QUICK_START = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
# At its default level the Firestore emulator logs a stack trace for each precondition that fails.
SILENT_LOGGING = "handlers=\n.level=OFF\n"


class Kind(StrEnum):
    """Which Firestore and Pub/Sub: our embedded ones, Google's emulators, or hosts that run already."""

    EMBEDDED = "embedded"
    GOOGLE = "google"
    HOSTS = "hosts"


@dataclass(frozen=True, kw_only=True)
class Emulator:
    """One of the two. `http_address` answers REST, where it does; `child` is what we started, if we did."""

    kind: Kind
    address: str
    http_address: str | None = None
    child: Child | None = None

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


@dataclass(frozen=True, kw_only=True)
class Emulators:
    """Firestore and Pub/Sub of one kind, as `host:port` addresses."""

    kind: Kind
    firestore: Emulator
    pubsub: Emulator

    @property
    def firestore_address(self) -> str:
        return self.firestore.address

    @property
    def pubsub_address(self) -> str:
        return self.pubsub.address

    @property
    def pubsub_http_address(self) -> str:
        return self.pubsub.http_address or self.pubsub.address

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to use these instead of Google Cloud."""
        return {FIRESTORE_HOST: self.firestore_address, PUBSUB_HOST: self.pubsub_address}

    def stop(self) -> None:
        self.firestore.stop()
        self.pubsub.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def kind_from(environment: Mapping[str, str]) -> Kind:
    """What `EMULATORS` names; without it HOSTS when both hosts are given, else EMBEDDED.

    Raises ValueError for another name, or for one host without the other.
    """
    wanted = environment.get("EMULATORS")
    if wanted:
        return Kind(wanted)
    given = [name for name in (FIRESTORE_HOST, PUBSUB_HOST) if environment.get(name)]
    if len(given) == 1:
        raise ValueError(f"only {given[0]} is set: set {FIRESTORE_HOST} and {PUBSUB_HOST}, or neither")
    return Kind.HOSTS if given else Kind.EMBEDDED


def start_emulators(
    kind: Kind, directory: Path, *, environment: Mapping[str, str] | None = None
) -> Emulators:
    """Both, ready for calls; logs go to `directory`. `environment` (ours by default) names the HOSTS.

    Raises `NotReady` when one does not start, after stopping the other.
    """
    with ThreadPoolExecutor(2) as pool:
        starts = [
            pool.submit(start_one, kind, directory, environment=environment)
            for start_one in (start_firestore, start_pubsub)
        ]
    failures = [error for each in starts if (error := each.exception())]
    if failures:
        for each in starts:
            if not each.exception():
                each.result().stop()
        raise failures[0]
    firestore, pubsub = (each.result() for each in starts)
    return Emulators(kind=kind, firestore=firestore, pubsub=pubsub)


def start_firestore(kind: Kind, directory: Path, *, environment: Mapping[str, str] | None = None) -> Emulator:
    match kind:
        case Kind.EMBEDDED:
            child = start_module(
                "firestore", ["infra.local.firestore_wire", "--port", "0"], directory=directory
            )
            port = _announced(child)["port"]
            return Emulator(kind=kind, address=f"127.0.0.1:{port}", child=child)
        case Kind.GOOGLE:
            address, child = _start_java("firestore", _firestore_arguments(directory), directory)
            return Emulator(kind=kind, address=address, http_address=address, child=child)
        case Kind.HOSTS:
            return Emulator(kind=kind, address=_host(FIRESTORE_HOST, environment))
        case unreachable:
            assert_never(unreachable)


def start_pubsub(kind: Kind, directory: Path, *, environment: Mapping[str, str] | None = None) -> Emulator:
    match kind:
        case Kind.EMBEDDED:
            command = ["infra.local.pubsub_wire", "--port", "0", "--http-port", "0"]
            child = start_module("pubsub", command, directory=directory)
            ports = _announced(child)
            return Emulator(
                kind=kind,
                address=f"127.0.0.1:{ports['port']}",
                http_address=f"127.0.0.1:{ports['http_port']}",
                child=child,
            )
        case Kind.GOOGLE:
            address, child = _start_java("pubsub", _pubsub_arguments(), directory)
            return Emulator(kind=kind, address=address, http_address=address, child=child)
        case Kind.HOSTS:
            address = _host(PUBSUB_HOST, environment)
            http = (environment or os.environ).get(PUBSUB_HTTP_HOST, address)
            return Emulator(kind=kind, address=address, http_address=http)
        case unreachable:
            assert_never(unreachable)


def google_emulators_missing() -> str | None:
    """What Google's emulators need and this machine lacks, with the remedy; None when nothing."""
    if shutil.which("gcloud") is None:
        return "gcloud is not installed: see cloud.google.com/sdk/docs/install"
    if shutil.which("java") is None:
        return "Java is not installed: Google's emulators need a JRE, version 21 or newer is safe"
    if not _jars(FIRESTORE_JAR):
        return "no Firestore emulator: gcloud components install cloud-firestore-emulator"
    if not _jars(PUBSUB_JARS):
        return "no Pub/Sub emulator: gcloud components install pubsub-emulator"
    return None


def _jars(pattern: str) -> list[Path]:
    gcloud = shutil.which("gcloud")
    return sorted(Path(gcloud).resolve().parents[1].glob(f"platform/{pattern}")) if gcloud else []


def _firestore_arguments(directory: Path) -> list[str | Path]:
    directory.mkdir(parents=True, exist_ok=True)
    logging = directory / "firestore-logging.properties"
    logging.write_text(SILENT_LOGGING)
    silent = f"-Djava.util.logging.config.file={logging}"
    return [silent, "-Duser.language=en", "-cp", *_jars(FIRESTORE_JAR)[:1], FIRESTORE_CLASS, "start"]


def _pubsub_arguments() -> list[str | Path]:
    return ["-Duser.language=en", "-jar", *_jars(PUBSUB_JARS)[:1]]


def _start_java(name: str, arguments: list[str | Path], directory: Path) -> tuple[str, Child]:
    lacking = google_emulators_missing()
    if lacking:
        raise NotReady(lacking)
    for remaining in reversed(range(TRIES_FOR_A_PORT)):
        port = free_port()
        command = ["java", *QUICK_START, *arguments, "--host=127.0.0.1", f"--port={port}"]
        child = start(name, command, directory=directory)
        try:
            child.wait_for_port(port, timeout_seconds=60)
        except NotReady:
            child.stop()
            if not remaining:
                raise
        else:
            return f"127.0.0.1:{port}", child
    raise AssertionError("the loop returns or raises")


def _announced(child: Child) -> dict[str, int]:
    try:
        return child.announced()
    except NotReady:
        child.stop()
        raise


def _host(name: str, environment: Mapping[str, str] | None) -> str:
    given = (os.environ if environment is None else environment).get(name)
    if not given:
        raise NotReady(f"{name} is not set")
    return given
