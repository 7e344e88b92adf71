"""Collects what is wrong with one message, up to a bound, so that a hostile message gets a short answer."""

from __future__ import annotations

from dataclasses import dataclass, field

from poolqueue.scheduling.problems import Problem, shown

MOST_PROBLEMS = 50


@dataclass
class Problems:
    """All that is wrong so far; past `MOST_PROBLEMS` one last entry says that there is more."""

    found: list[Problem] = field(default_factory=list)
    _earlier: tuple[str, ...] = ()

    @property
    def is_full(self) -> bool:
        return len(self.found) > MOST_PROBLEMS

    def add(self, path: str, value: object, problem: str, remedy: str) -> None:
        if self.is_full or any(
            path == told or path.startswith((f"{told}.", f"{told}[")) for told in self._earlier
        ):
            return
        if len(self.found) == MOST_PROBLEMS:
            path, value, problem, remedy = (
                "",
                "",
                "there are more problems than are listed",
                "fix these first",
            )
        hidden = ".env[" in path or path.endswith(".env")
        given = "(hidden)" if hidden and not path.endswith(".name") else shown(value)
        self.found.append(Problem(path=_bounded(path), value=given, problem=problem, remedy=remedy))

    def only_news(self) -> None:
        """From now on, say nothing about places of which something is said already, nor below them."""
        self._earlier = tuple(problem.path for problem in self.found)

    def __bool__(self) -> bool:
        return bool(self.found)


def _bounded(path: str) -> str:
    cut = path if len(path) <= 300 else path[:299] + "…"  # noqa: PLR2004
    return "".join(character if character.isprintable() else "�" for character in cut)
