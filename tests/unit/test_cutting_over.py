"""The commands and the policy of docs/cutting-over.md: gcloud knows the ones, and the other exempts us."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cutting-over.md").read_text()
COMMANDS = [
    command.replace("\\\n", " ")
    for block in re.findall(r"^ *```sh\n(.*?)^ *```", PAGE, re.DOTALL | re.MULTILINE)
    for command in re.findall(r"^ *(gcloud (?:.*\\\n)*.*)$", block, re.MULTILINE)
]
POLICY = re.search(r"```json deny-policy\n(.*?)```", PAGE, re.DOTALL)
IDENTITIES = (ROOT / "infra" / "identities.tf").read_text()
FUNCTIONS = (ROOT / "infra" / "functions.tf").read_text()


def test_there_are_commands_to_be_checked() -> None:
    assert len(COMMANDS) == 5


@pytest.mark.requires("gcloud")
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command.split()[1:4]))
def test_gcloud_knows_the_command_and_its_flags(command: str, tmp_path: Path) -> None:
    """By its own static check, which calls nothing."""
    plain = shlex.join(shlex.split(command))
    checked = subprocess.run(
        ["gcloud", "meta", "lint-gcloud-commands", f"--command-string={plain}"],
        env={**os.environ, "CLOUDSDK_CONFIG": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )

    (result,) = json.loads(checked.stdout)
    assert result["success"], result["error_message"]


def test_the_policy_exempts_every_function_and_denies_what_the_table_lists() -> None:
    assert POLICY is not None
    (rule,) = (each["denyRule"] for each in json.loads(POLICY[1])["rules"])
    pushed = re.search(r"pushed_functions = toset\(\[(.*)\]\)", FUNCTIONS)
    assert pushed is not None
    functions = {*re.findall(r'"(\w+)"', pushed[1]), "data_arrived"}
    accounts = {f"pq-{name.replace('_', '-')}" for name in functions}
    denied = {name.removeprefix("aiplatform.googleapis.com/") for name in rule["deniedPermissions"]}

    assert {
        re.search(r"serviceAccounts/([\w-]+)@", each)[1] for each in rule["exceptionPrincipals"]
    } == accounts
    assert denied < set(re.findall(r"^\| `aiplatform\.(\w+\.create)` \|", PAGE, re.MULTILINE))
    assert 'account_id   = "pq-${replace(each.key, "_", "-")}"' in IDENTITIES
