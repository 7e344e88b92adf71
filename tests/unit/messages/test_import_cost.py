from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_importing_the_messages_brings_in_neither_yaml_nor_a_cloud_library() -> None:
    heavy = ("yaml", "pydantic", "google", "difflib", "asyncio", "http", "email")
    probe = f"import sys, poolqueue.messages; print([name for name in {heavy!r} if name in sys.modules])"

    loaded = subprocess.run(
        [sys.executable, "-S", "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert loaded.stdout.strip() == "[]"
