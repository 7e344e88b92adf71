"""The REST wire of Pub/Sub, for curl and gcloud: the same calls, transcoded."""

from __future__ import annotations

import json
import re
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import grpc
from google.protobuf import json_format

from infra.local.pubsub.calls import CALLS
from infra.local.pubsub.limits import MAX_REQUEST_BYTES, Refusal, invalid
from infra.local.pubsub.service import PubSub

# By HTTP method, kind of resource and verb: the call, and the field of its request that the path fills.
ROUTES = {
    ("PUT", "topic", ""): ("CreateTopic", "name"),
    ("GET", "topic", ""): ("GetTopic", "topic"),
    ("DELETE", "topic", ""): ("DeleteTopic", "topic"),
    ("POST", "topic", "publish"): ("Publish", "topic"),
    ("GET", "topics", ""): ("ListTopics", "project"),
    ("GET", "topic/subscriptions", ""): ("ListTopicSubscriptions", "topic"),
    ("PUT", "subscription", ""): ("CreateSubscription", "name"),
    ("GET", "subscription", ""): ("GetSubscription", "subscription"),
    ("PATCH", "subscription", ""): ("UpdateSubscription", "subscription.name"),
    ("DELETE", "subscription", ""): ("DeleteSubscription", "subscription"),
    ("POST", "subscription", "pull"): ("Pull", "subscription"),
    ("POST", "subscription", "acknowledge"): ("Acknowledge", "subscription"),
    ("POST", "subscription", "modifyAckDeadline"): ("ModifyAckDeadline", "subscription"),
    ("POST", "subscription", "modifyPushConfig"): ("ModifyPushConfig", "subscription"),
    ("GET", "subscriptions", ""): ("ListSubscriptions", "project"),
}
_PATH = re.compile(
    r"/v1/(?P<project>projects/[^/:]+)/(?P<kind>topics|subscriptions)"
    r"(?:/(?P<id>[^/:]+)(?P<below>/subscriptions)?(?::(?P<verb>\w+))?)?"
)
# Base64 makes a third more of it.
MAX_BODY_BYTES = 2 * MAX_REQUEST_BYTES

_to_json: Any = json_format.MessageToDict  # the library has no types
_from_json: Any = json_format.Parse

_STATUSES = {
    grpc.StatusCode.INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    grpc.StatusCode.FAILED_PRECONDITION: HTTPStatus.BAD_REQUEST,
    grpc.StatusCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS: HTTPStatus.CONFLICT,
    grpc.StatusCode.UNIMPLEMENTED: HTTPStatus.NOT_IMPLEMENTED,
}


def start_rest(pubsub: PubSub, port: int) -> tuple[ThreadingHTTPServer, int]:
    """A server on 127.0.0.1 and its port; 0 takes any free one. Raises OSError when the port is taken."""

    class Handler(_Handler):
        service = pubsub

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), name="rest", daemon=True).start()
    return server, server.server_port


class _Handler(BaseHTTPRequestHandler):
    service: PubSub
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        try:
            response = _call(self.service, self.command, self.path, self._body())
            status, body = HTTPStatus.OK, _to_json(response)
        except Refusal as refusal:
            status = _STATUSES[refusal.code]
            body = {"error": {"code": status, "message": refusal.message, "status": refusal.code.name}}
        self._send(status, json.dumps(body, indent=2).encode() + b"\n")

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 (the base class's names)

    def _body(self) -> bytes:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY_BYTES:
            self.close_connection = True
            raise invalid(f"a request has at most {MAX_BODY_BYTES} bytes")
        return self.rfile.read(length)

    def _send(self, status: HTTPStatus, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        """Requests are not logged: their bodies and names are the users'."""


def _call(pubsub: PubSub, method: str, target: str, body: bytes) -> Any:
    path = _PATH.fullmatch(unquote(urlsplit(target).path))
    route = ROUTES.get((method, _kind(path), path["verb"] or "")) if path else None
    if path is None or route is None:
        raise Refusal(grpc.StatusCode.NOT_FOUND, f"no such call: {method} {target}")
    name, field = route
    call = CALLS[name]
    request = _request(call.request(), body)
    _fill(request, field, path["project"] if path["id"] is None else _resource(path))
    return call.answer(pubsub, request)


def _kind(path: re.Match[str]) -> str:
    kind = path["kind"] if path["id"] is None else path["kind"].removesuffix("s")
    return kind + (path["below"] or "")


def _resource(path: re.Match[str]) -> str:
    return f"{path['project']}/{path['kind']}/{path['id']}"


def _request(request: Any, body: bytes) -> Any:
    try:
        return _from_json(body or b"{}", request)
    except (json_format.ParseError, UnicodeDecodeError) as error:
        raise invalid(f"the body is not as the REST reference has it: {error}") from error


def _fill(request: Any, field: str, value: str) -> None:
    *holders, last = field.split(".")
    for holder in holders:
        request = getattr(request, holder)
    setattr(request, last, value)
