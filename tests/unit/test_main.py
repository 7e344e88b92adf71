"""main.py is what is deployed: functions and nothing else, cheap to import."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TREE = ast.parse((ROOT / "main.py").read_text())
FUNCTIONS = [node for node in TREE.body if isinstance(node, ast.FunctionDef)]

# What an import may not do: reach the network, start a process, write a file.
IMPORT_AND_WATCH = """
import json, sys
seen = []
CLIENTS = {"grpc", "requests", "google.api_core", "google.auth", "google.protobuf", "google.pubsub_v1",
           "google.cloud.firestore_v1", "google.cloud.aiplatform", "google.cloud.aiplatform_v1"}
WATCHED = ("socket.connect", "socket.bind", "socket.getaddrinfo", "subprocess.Popen", "os.system")
def watch(event, arguments):
    written = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
    if event in WATCHED or written:
        seen.append(f"{event} {arguments[0]}")
sys.dont_write_bytecode = True
sys.addaudithook(watch)
import main
print(json.dumps([seen, sorted(CLIENTS & set(sys.modules))]))
"""


def test_main_holds_a_docstring_imports_the_check_at_start_and_functions() -> None:
    docstring, *rest = TREE.body
    others = [node for node in rest if not isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef)]

    assert isinstance(docstring, ast.Expr)
    assert [ast.unparse(node) for node in others] == ["wiring.check_start()"]


def test_every_function_of_main_is_decorated_once_for_the_framework() -> None:
    decorators = {function.name: [ast.unparse(d) for d in function.decorator_list] for function in FUNCTIONS}

    allowed = (["functions_framework.http"], ["functions_framework.cloud_event"])
    assert {name: used for name, used in decorators.items() if used not in allowed} == {}


def test_main_imports_handlers_wiring_and_the_framework_only() -> None:
    modules = {
        node.module if isinstance(node, ast.ImportFrom) else name.name
        for node in TREE.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    imported_from_package = [
        name.name
        for node in TREE.body
        if isinstance(node, ast.ImportFrom) and node.module == "poolqueue"
        for name in node.names
    ]

    ours = {
        module for module in modules if module and module.split(".")[0] in {"handlers", "poolqueue", "infra"}
    }
    assert all(module == "poolqueue" or module.startswith("handlers") for module in ours)
    assert imported_from_package == ["wiring"]
    assert modules - ours <= {"functions_framework", "typing", "__future__"}


def test_importing_main_touches_nothing_and_loads_no_google_client() -> None:
    run = subprocess.run(
        [sys.executable, "-c", IMPORT_AND_WATCH], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert json.loads(run.stdout) == [[], []]


SETTINGS = """
installation: testing
project: demo-p
location: us-central1
teams: [{name: research, topics: [job-requests]}]
triggers: triggers.yaml
"""


def importing_main(settings: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "POOL_QUEUE_SETTINGS": str(settings)}
    command = [sys.executable, "-c", "import main"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("settings", "triggers", "told"),
    [
        (SETTINGS, "triggers: []", None),
        (SETTINGS.replace("us-central1", "Mars/.."), "triggers: []", "location"),
        (SETTINGS, "triggers: [{nam: x}]", "did you mean name?"),
        (SETTINGS, None, "triggers"),
    ],
    ids=["good", "bad settings", "bad triggers", "no triggers file"],
)
def test_a_function_with_wrong_settings_or_triggers_does_not_start(
    tmp_path: Path, settings: str, triggers: str | None, told: str | None
) -> None:
    (tmp_path / "settings.yaml").write_text(settings)
    if triggers is not None:
        (tmp_path / "triggers.yaml").write_text(triggers)

    run = importing_main(tmp_path / "settings.yaml")

    assert (run.returncode == 0) == (told is None), run.stderr
    assert told is None or told in run.stderr


def test_every_function_of_main_is_deployed_and_no_other() -> None:
    terraform = "\n".join(file.read_text() for file in sorted((ROOT / "infra").glob("*.tf")))
    pushed = re.search(r"pushed_functions = toset\(\[(.*)\]\)", terraform)
    triggered = re.findall(r'entry_point += "(\w+)"', terraform)

    assert pushed is not None
    assert {*re.findall(r'"(\w+)"', pushed[1]), *triggered} == {function.name for function in FUNCTIONS}
