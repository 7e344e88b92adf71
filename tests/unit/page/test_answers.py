"""Answers to a browser: what it has already is not sent again, and what a page may do is told each time."""

from __future__ import annotations

import gzip
import json

from poolqueue.page.answers import NOW as NOW_HEADER
from poolqueue.page.answers import POLICY, READ_AT, Wanted, answer, json_answer, problem_answer
from tests.unit.cli.building import NOW


def test_what_a_browser_has_is_not_sent_again() -> None:
    first = json_answer({"a": 1}, Wanted(), read_at=NOW, now=NOW)
    again = json_answer({"a": 1}, Wanted(etags=f'"x", W/{first.headers["ETag"]}'), read_at=NOW, now=NOW)

    assert (first.status, json.loads(first.body)) == (200, {"a": 1})
    assert (again.status, again.body) == (304, b"")
    assert again.headers[READ_AT] == again.headers[NOW_HEADER] == "2026-11-23T18:00:00Z"


def test_what_changed_is_sent() -> None:
    first = json_answer({"a": 1}, Wanted(), read_at=NOW, now=NOW)

    assert json_answer({"a": 2}, Wanted(etags=first.headers["ETag"]), read_at=NOW, now=NOW).status == 200


def test_long_answers_are_compressed_for_who_can_read_that() -> None:
    body = b"x" * 5_000
    packed = answer(body, "text/plain", Wanted(encodings="br;q=1, gzip;q=0.5"))
    plain = answer(body, "text/plain", Wanted(encodings="br"))

    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body == body
    assert "Content-Encoding" not in plain.headers


def test_no_answer_lets_a_browser_run_or_fetch_what_is_not_ours() -> None:
    answers = [
        answer(b"", "text/html", Wanted()),
        json_answer({}, Wanted(), read_at=NOW, now=NOW),
        problem_answer(404, field="path", value="<script>", problem="is not here", remedy="go back"),
    ]

    assert all(each.headers["Content-Security-Policy"] == POLICY for each in answers)
    assert all(each.headers["X-Content-Type-Options"] == "nosniff" for each in answers)
    assert "default-src 'none'" in POLICY
    assert "unsafe" not in POLICY
    assert "http" not in POLICY
    assert "require-trusted-types-for 'script'" in POLICY


def test_json_is_ascii_so_that_no_reader_takes_it_for_something_else() -> None:
    body = json_answer({"a": "\u2028\u202e\u00e9"}, Wanted(), read_at=NOW, now=NOW).body

    assert body.isascii()
