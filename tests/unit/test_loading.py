from __future__ import annotations

import gc

import pytest

from poolqueue.adapters.loading import libraries_loading


def test_nothing_is_collected_while_libraries_load() -> None:
    with libraries_loading():
        assert not gc.isenabled()

    assert gc.isenabled()


def test_a_library_that_cannot_be_loaded_leaves_collection_on() -> None:
    with pytest.raises(ImportError), libraries_loading():
        raise ImportError

    assert gc.isenabled()


def test_collection_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with libraries_loading():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
