"""Loads the cloud's client libraries without collecting garbage, of which a module's import makes none."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def libraries_loading() -> Iterator[None]:
    """For imports: what they make is not walked over while they last, and never again afterwards.

    That walk is a sixth of the processor time of a cold start, about as much as all our own imports.
    """
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_collecting:
            gc.enable()
