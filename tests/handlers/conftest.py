"""Installations for the tests of the handlers: the plain one, and one as a test wants it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.deaths import Deaths
from tests.support.installation import Installation

Installing = Callable[..., Installation]


@pytest.fixture
def installing(tmp_path: Path, demo_project: str) -> Iterator[Installing]:
    """Makes a running installation; its arguments are those of `Installation`."""
    with ExitStack() as stack:

        def install(**how: Any) -> Installation:
            return stack.enter_context(Installation(tmp_path, demo_project, **how))

        yield install


@pytest.fixture
def installation(installing: Installing) -> Installation:
    """One pool of two replicas."""
    return installing()


@pytest.fixture
def deaths(tmp_path: Path, demo_project: str) -> Deaths:
    return Deaths(directory=tmp_path, project=demo_project)
