"""The fenced blocks of a page of documentation."""

from __future__ import annotations

import re
from dataclasses import dataclass

from infra.local.processes import ROOT

BLOCK = re.compile(r"^```(\w+)(?: ([\w=. -]+))?\n(.*?)^```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Block:
    """`label` is what stands behind the language, which no reader is shown."""

    language: str
    label: str
    text: str

    @property
    def is_file(self) -> bool:
        return self.label.startswith("file=")


def blocks(page: str) -> list[Block]:
    text = (ROOT / "docs" / page).read_text()
    return [Block(language=language, label=label, text=body) for language, label, body in BLOCK.findall(text)]
