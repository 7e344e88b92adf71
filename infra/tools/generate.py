"""Writes every generated file anew, or with `--check` says which ones are out of date."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from infra.tools import generate_fields, generate_schemas, generate_states

ROOT = Path(__file__).parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(prog="make generate", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if anything would change"
    )
    is_check = parser.parse_args().check
    outdated = {
        path: text for path, text in generated().items() if not path.exists() or path.read_text() != text
    }
    for path, text in outdated.items():
        print(f"{'out of date' if is_check else 'written'}: {path.relative_to(ROOT)}")
        if not is_check:
            path.write_text(text)
    if is_check and outdated:
        print("run: make generate", file=sys.stderr)
    return 1 if is_check and outdated else 0


def generated() -> dict[Path, str]:
    schemas = {generate_schemas.TARGET / name: text for name, text in generate_schemas.schemas().items()}
    return {
        generate_fields.TARGET: _formatted(generate_fields.table(), generate_fields.TARGET),
        generate_states.TARGET: generate_states.page(),
        **schemas,
    }


def _formatted(source: str, path: Path) -> str:
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(path), "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True, check=True, cwd=ROOT).stdout


if __name__ == "__main__":
    sys.exit(main())
