"""A function that posts to a chat's webhook how jobs ended. Deployed by itself: see docs/outcomes.md.

It is pushed what a filtered subscription to `job-outcomes` lets through. What others wrote, names and errors,
reaches the chat as text that is no markup. A message is posted once, and again only if the function dies
between posting and noting it; while the chat does not take it, Pub/Sub delivers it again.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import logging
import os
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

import functions_framework
from google.cloud import firestore

KEPT = timedelta(days=30)
CHAT_SECONDS = 10.0
FIRESTORE_SECONDS = 10.0
LONGEST_TEXT = 1_000

_ID = re.compile(r"[a-z0-9][a-z0-9_.-]{0,127}")
_CUSTOM_JOB = re.compile(r"projects/([a-z0-9.:-]+)/locations/([a-z0-9-]+)/customJobs/([0-9]+)")

logging.basicConfig(level=logging.INFO, format="%(message)s")
log = logging.getLogger(__name__)

# Two deliveries of one message must not both find that nothing was posted; there is one instance.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a job ended; `why` may be anybody's text."""

    team: str
    job_id: str
    outcome: str
    sequence: int
    why: str
    log_url: str | None

    @property
    def key(self) -> str:
        return f"{self.team}.{self.job_id}"

    @property
    def line(self) -> str:
        return f"{self.team}: {self.job_id} {self.outcome}"


class NotTaken(Exception):
    """The chat did not take the message now; the delivery is to come again."""


@functions_framework.http
def notify(request: Any) -> tuple[str, int]:
    ended = ended_of(request.get_data())
    if ended is None:
        log.warning(json.dumps({"message": "notification_unreadable"}))
        return "not an outcome", HTTPStatus.OK  # delivering it again would make it no better
    with _one_at_a_time:
        return post_once(ended)


def post_once(ended: Ended) -> tuple[str, int]:
    if is_posted(ended):
        return "posted before", HTTPStatus.OK
    try:
        is_taken = post(payload(ended, os.environ.get("CHAT_FORMAT", "slack")))
    except NotTaken as error:
        log.warning(json.dumps({"message": "chat_unavailable", "job": ended.key, "error": str(error)}))
        return "the chat does not take it now", HTTPStatus.SERVICE_UNAVAILABLE
    note_posted(ended)
    told = {"message": "notified" if is_taken else "notification_refused", "job": ended.key}
    log.info(json.dumps({**told, "sequence": ended.sequence}))
    return "posted" if is_taken else "refused by the chat", HTTPStatus.OK


# --- what was pushed -------------------------------------------------------------------------------------


def ended_of(body: bytes) -> Ended | None:
    """The end of a job in a Pub/Sub push; None for anything else."""
    try:
        said = json.loads(base64.b64decode(json.loads(body)["message"]["data"]))
        if said["state"] != "ended" or not (_is_id(said["team"]) and _is_id(said["job_id"])):
            return None
        return Ended(
            team=said["team"],
            job_id=said["job_id"],
            outcome=plain(said["outcome"]),
            sequence=int(said["sequence"]),
            why=plain(said.get("error") or said.get("note") or ""),
            log_url=log_url(said.get("custom_job")),
        )
    except (KeyError, TypeError, ValueError, binascii.Error, RecursionError):
        return None


def _is_id(given: object) -> bool:
    return isinstance(given, str) and _ID.fullmatch(given) is not None


def plain(text: object) -> str:
    """At most so many characters, of which each one can be seen: nothing that turns or hides text."""
    shown = "".join(c if c.isprintable() else " " for c in str(text)[: LONGEST_TEXT + 1])
    return shown if len(shown) <= LONGEST_TEXT else shown[: LONGEST_TEXT - 1] + "…"


def log_url(custom_job: object) -> str | None:
    named = _CUSTOM_JOB.fullmatch(custom_job) if isinstance(custom_job, str) else None
    if named is None:
        return None
    query = quote(f'resource.type="ml_job" resource.labels.job_id="{named[3]}"', safe="")
    return f"https://console.cloud.google.com/logs/query;query={query}?project={quote(named[1], safe='')}"


# --- what the chat gets ----------------------------------------------------------------------------------


def payload(ended: Ended, chat: str) -> Mapping[str, Any]:
    """Raises ValueError for a chat that is neither `slack` nor `google_chat`."""
    match chat:
        case "slack":
            return _slack(ended)
        case "google_chat":
            return _google_chat(ended)
        case _:
            raise ValueError(f"CHAT_FORMAT is {chat!r}: give slack or google_chat")


def _slack(ended: Ended) -> Mapping[str, Any]:
    """Blocks of plain text know no markup; `text`, which notifications show, is escaped."""
    text = "\n".join(filter(None, (ended.line, ended.why)))
    shown = {"type": "section", "text": {"type": "plain_text", "text": text, "emoji": False}}
    link = {"type": "section", "text": {"type": "mrkdwn", "text": f"<{ended.log_url}|Log>"}}
    return {
        "text": html.escape(ended.line, quote=False),
        "mrkdwn": False,
        "blocks": [shown, *([link] if ended.log_url else [])],
    }


def _google_chat(ended: Ended) -> Mapping[str, Any]:
    """A card's paragraph is HTML: escaped, it is text. A message's `text` would be read for mentions."""
    text = "<br>".join(html.escape(each) for each in (ended.line, ended.why) if each)
    button = {"text": "Log", "onClick": {"openLink": {"url": ended.log_url}}}
    widgets = [
        {"textParagraph": {"text": text}},
        *([{"buttonList": {"buttons": [button]}}] if ended.log_url else []),
    ]
    return {"cardsV2": [{"cardId": "outcome", "card": {"sections": [{"widgets": widgets}]}}]}


def post(content: Mapping[str, Any]) -> bool:
    """False if the chat refuses this message for good. Raises `NotTaken`; no message holds the address."""
    call = urllib.request.Request(  # noqa: S310 - `webhook` accepts nothing but https
        webhook(),
        data=json.dumps(content).encode(),
        headers={"Content-Type": "application/json; charset=UTF-8"},
    )
    try:
        with _opener().open(call, timeout=CHAT_SECONDS):
            return True
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.BAD_REQUEST:
            return False
        raise NotTaken(f"HTTP {error.code}") from error
    except OSError as error:
        raise NotTaken(type(error).__name__) from error


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """The secret in the address goes nowhere else."""


@cache
def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_NoRedirect)


def webhook() -> str:
    """The webhook's address, a secret. Raises ValueError without quoting it."""
    address = os.environ.get("CHAT_WEBHOOK", "").strip()
    parts = urlsplit(address)
    if parts.scheme != "https" and parts.hostname != "127.0.0.1":
        raise ValueError("CHAT_WEBHOOK is not an address that begins with https://")
    return address


# --- what was posted before ------------------------------------------------------------------------------


@cache
def _posted() -> Any:
    """Made when first needed, so that importing this does no I/O."""
    database = os.environ.get("NOTIFICATIONS_DATABASE", "(default)")
    return firestore.Client(database=database).collection("posted")


def is_posted(ended: Ended) -> bool:
    """Whether this change of the job was posted, or a later one."""
    found = _posted().document(ended.key).get(timeout=FIRESTORE_SECONDS)
    return bool(found.exists and found.get("sequence") >= ended.sequence)


def note_posted(ended: Ended) -> None:
    fields = {"sequence": ended.sequence, "expires_at": datetime.now(UTC) + KEPT}
    _posted().document(ended.key).set(fields, timeout=FIRESTORE_SECONDS)
