"""Answers to a browser: what may be kept, what is compressed, and what a page may do in a browser."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

LEAST_COMPRESSED = 1_000
COMPRESSION = 5
READ_AT = "Pool-Queue-Read-At"
NOW = "Pool-Queue-Now"

# Scripts and styles are files of ours, and scripts can turn no text into markup; nothing goes elsewhere.
_PERMITTED = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
)
POLICY = "; ".join(_PERMITTED)
ALWAYS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Vary": "Accept-Encoding",
}
FOR_EVER = "private, max-age=31536000, immutable"
ASK_AGAIN = "private, no-cache"
UNCHANGED = 304


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A status, headers and a body as they go out."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a browser says that it has, and can read."""

    etags: str = ""
    encodings: str = ""

    def has(self, etag: str) -> bool:
        return etag in [each.strip().removeprefix("W/") for each in self.etags.split(",")]

    @property
    def takes_gzip(self) -> bool:
        return "gzip" in [each.partition(";")[0].strip() for each in self.encodings.split(",")]


def answer(body: bytes, kind: str, wanted: Wanted, *, keep: str = ASK_AGAIN, **headers: str) -> Answer:
    """Without the body where the browser has it already."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    common = {**ALWAYS, "Cache-Control": keep, "ETag": etag, **given}
    if wanted.has(etag):
        return Answer(status=UNCHANGED, headers=common)
    common["Content-Type"] = kind
    if wanted.takes_gzip and len(body) >= LEAST_COMPRESSED:
        packed = gzip.compress(body, compresslevel=COMPRESSION, mtime=0)
        return Answer(headers={**common, "Content-Encoding": "gzip"}, body=packed)
    return Answer(headers=common, body=body)


def json_answer(fields: Mapping[str, Any], wanted: Wanted, *, read_at: datetime, now: datetime) -> Answer:
    """`read_at` and `now` are headers, so that what did not change is the same to the last byte."""
    body = json.dumps(fields, ensure_ascii=True, separators=(",", ":")).encode()
    times = {READ_AT: _time(read_at), NOW: _time(now)}
    return answer(body, "application/json", wanted, **times)


def problem_answer(
    status: int, *, field: str, value: str, problem: str, remedy: str, **headers: str
) -> Answer:
    told = {"field": field, "value": value, "problem": problem, "remedy": remedy}
    given = {name.replace("_", "-"): text for name, text in headers.items()}
    common = {**ALWAYS, "Cache-Control": "no-store", "Content-Type": "application/json", **given}
    return Answer(status=status, headers=common, body=json.dumps({"problem": told}).encode())


def _time(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
