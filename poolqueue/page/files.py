"""The files that a browser shows the page with, each read once; their names change with what is in them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources

KINDS = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
SHELL = "index.html"
_VERSION = b"{{version}}"


@dataclass(frozen=True, kw_only=True)
class Files:
    """`version` is a digest of them all: what is asked for under it may be kept for ever."""

    version: str
    contents: dict[str, bytes]

    def kind(self, name: str) -> str:
        return KINDS[name.rpartition(".")[2]]


@cache
def files() -> Files:
    folder = resources.files("poolqueue.page") / "files"
    contents = {
        each.name: each.read_bytes() for each in folder.iterdir() if each.name.rpartition(".")[2] in KINDS
    }
    digest = hashlib.sha256(b"\0".join(contents[name] for name in sorted(contents))).hexdigest()[:16]
    contents[SHELL] = contents[SHELL].replace(_VERSION, digest.encode())
    return Files(version=digest, contents=contents)
