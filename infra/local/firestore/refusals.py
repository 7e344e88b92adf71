"""What the embedded Firestore refuses, and as which status of gRPC."""

from __future__ import annotations

import grpc


class Refused(Exception):
    """Ends a call with `code`; the message tells the caller what to do about it."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def invalid(message: str) -> Refused:
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, message)


def unsupported(what: str, instead: str) -> Refused:
    return Refused(
        grpc.StatusCode.UNIMPLEMENTED,
        f"the embedded Firestore has no {what}: {instead}, or use Google's emulator (EMULATORS=google)",
    )
