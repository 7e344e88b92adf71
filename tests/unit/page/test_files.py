"""The page's files: none names another place, and none can turn text into markup."""

from __future__ import annotations

import re

import pytest

from poolqueue.page.files import SHELL, files

SCRIPTS = {name: text.decode() for name, text in files().contents.items() if name.endswith(".js")}
ALL = {name: text.decode() for name, text in files().contents.items()}
INTO_MARKUP = (
    "innerHTML",
    "outerHTML",
    "insertAdjacentHTML",
    "document.write",
    "DOMParser",
    "eval(",
    "Function(",
)
NAMESPACE = "http://www.w3.org/2000/svg"
CONSOLE = "https://console.cloud.google.com"


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_script_turns_text_into_markup(name: str) -> None:
    assert [word for word in INTO_MARKUP if word in SCRIPTS[name]] == []


@pytest.mark.parametrize("name", ALL)
def test_no_file_fetches_from_elsewhere(name: str) -> None:
    addresses = set(re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}[^\s\"'`$)<]*", ALL[name]))

    assert addresses <= {NAMESPACE, CONSOLE}


def test_scripts_import_files_that_there_are() -> None:
    imported = {found for text in SCRIPTS.values() for found in re.findall(r'from "\./([^"]+)"', text)}

    assert imported <= SCRIPTS.keys()
    assert "page.js" in ALL[SHELL]


def test_the_shell_names_the_version_and_nothing_inline() -> None:
    shell = ALL[SHELL]

    assert f"files/{files().version}/page.css" in shell
    assert "{{" not in shell
    assert re.findall(r"<script(?![^>]* src=)|<style| style=| on[a-z]+=", shell) == []
