"""A nursery: what is born there is as a process of its own, and nothing of it is left."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.local.nursery import Nursery
from infra.local.processes import ROOT, Child, NotReady, start

pytestmark = pytest.mark.requires("linux")


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    made = Nursery(["decimal"], log=tmp_path_factory.mktemp("nursery") / "nursery.log", cwd=ROOT)
    yield made
    made.close()


def born(nursery: Nursery, directory: Path, script: str, *arguments: str, **environment: str) -> Child:
    program = directory / "program.py"
    program.write_text(script)
    return start(
        "child", [program, *arguments], directory=directory, environment=environment, nursery=nursery
    )


def test_it_has_its_arguments_its_environment_and_a_process_group_of_its_own(nursery, tmp_path) -> None:
    script = (
        "import json, os, sys\n"
        "print(json.dumps({'argv': sys.argv[1:], 'env': os.environ['WHO'], 'group': os.getpgrp(),"
        " 'cwd': os.getcwd(), 'loaded': 'decimal' in sys.modules, 'name': __name__}), flush=True)\n"
    )
    child = born(nursery, tmp_path, script, "a b", WHO="me")
    told = child.announced()

    assert child.process.wait(10) == 0
    assert told == {
        "argv": ["a b"],
        "env": "me",
        "group": child.pid,
        "cwd": str(ROOT),
        "loaded": True,
        "name": "__main__",
    }
    child.stop()


def test_one_knows_nothing_of_what_another_did(nursery, tmp_path) -> None:
    first = born(nursery, tmp_path, "import decimal, os; decimal.left = os.environ['A'] = 'x'\n")
    first.process.wait(10)
    second = born(
        nursery, tmp_path, "import decimal, os; print(hasattr(decimal, 'left'), os.environ.get('A'))\n"
    )

    assert second.process.wait(10) == 0
    assert second.log.read_text() == "False None\n"
    first.stop()
    second.stop()


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        ("raise SystemExit(3)", 3, ""),
        ("raise SystemExit('no luck')", 1, "no luck\n"),
        ("raise RuntimeError('no luck today')", 1, "RuntimeError: no luck today\n"),
    ],
)
def test_how_it_ended_is_known(nursery, tmp_path, script, code, said) -> None:
    child = born(nursery, tmp_path, script)

    assert child.process.wait(10) == code
    assert child.log.read_text().endswith(said)
    child.stop()


def test_one_that_ends_before_it_is_ready_is_named_with_its_last_words(nursery, tmp_path) -> None:
    child = born(nursery, tmp_path, "raise RuntimeError('no luck today')")

    with pytest.raises(NotReady, match=r"(?s)child ended with 1:.*no luck today"):
        child.announced()
    child.stop()


def test_one_that_is_killed_is_gone_with_its_own_children(nursery, tmp_path) -> None:
    script = (
        "import json, os, time\n"
        "pid = os.fork()\n"
        "if pid: print(json.dumps({'pid': pid}), flush=True)\n"
        "time.sleep(60)\n"
    )
    child = born(nursery, tmp_path, script)
    grandchild = child.announced()["pid"]
    child.kill()

    assert child.process.returncode == -signal.SIGKILL
    assert eventually(lambda: not is_alive(grandchild))


def test_a_closed_nursery_leaves_no_process(tmp_path: Path) -> None:
    nursery = Nursery([], log=tmp_path / "nursery.log", cwd=ROOT)
    child = born(nursery, tmp_path, "print('{}', flush=True)\n")
    child.process.wait(10)
    child.stop()
    nursery.close()

    assert not is_alive(nursery.pid)
    assert json.loads(child.log.read_text()) == {}


def eventually(ask: Callable[[], bool], *, seconds: float = 10.0) -> bool:
    until = time.monotonic() + seconds
    while not ask() and time.monotonic() < until:
        time.sleep(0.01)
    return ask()


def is_alive(pid: int) -> bool:
    """A zombie is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except FileNotFoundError:
        return False


def test_a_nursery_ends_with_whoever_made_it(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        made = Nursery([], log=tmp_path / "nursery.log", cwd=ROOT)
        os.write(writing, str(made.pid).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    nursery = int(os.read(reading, 20))
    os.close(reading)
    os.close(writing)

    assert eventually(lambda: not is_alive(nursery))
