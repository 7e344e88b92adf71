"""Which tests of a distributed run stay on one worker, because they share what is dear, and which come first.

A scope is what one worker runs in one go: a file, or all tests of a folder on the same kind of emulators.
"""

from __future__ import annotations

import re

from xdist.scheduler import LoadScopeScheduling

# Their tests have emulators or processes of their own.
SHARE_NOTHING = ("tests/end_to_end/test_many_processes.py", "tests/end_to_end/test_make_run.py")
# What must not come last, the longest first; then whatever starts processes, then all the rest.
LONGEST = (
    "tests/end_to_end/test_killed_at_each_step.py",
    "tests/end_to_end/test_many_processes.py",
    "tests/end_to_end on google",
    "tests/end_to_end/test_make_run.py",
    "tests/end_to_end/test_stack.py",
    "tests/end_to_end/test_training_programs.py",
    "tests/handlers/test_killed_processes.py",
    "tests/contract on google",
)
FOLDERS = ("tests/end_to_end", "tests/handlers", "tests/contract", "tests/simulation", "tests/unit")
SHARING = {"tests/end_to_end": ("embedded", "google"), "tests/contract": ("google",)}


def scope_of(nodeid: str) -> str:
    file, _, test = nodeid.partition("::")
    if file in SHARE_NOTHING:
        return file
    for folder, kinds in SHARING.items():
        for kind in kinds:
            if file.startswith(f"{folder}/") and re.search(rf"[\[-]{kind}[\]-]", test):
                return f"{folder} on {kind}"
    return file


def rank_of(nodeid: str) -> int:
    """Lower ones come first."""
    scope = scope_of(nodeid)
    if scope in LONGEST:
        return LONGEST.index(scope)
    folder = next((n for n, each in enumerate(FOLDERS) if scope.startswith(each)), len(FOLDERS))
    return len(LONGEST) + folder


class ByScope(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)
