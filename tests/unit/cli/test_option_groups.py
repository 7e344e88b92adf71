"""Groups of options, as typer sees the commands that take them."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from poolqueue.cli.option_groups import expanded


@dataclass(frozen=True, kw_only=True)
class Place:
    city: Annotated[str, typer.Option(help="Which city.")]
    street: Annotated[str | None, typer.Option("--street", "-s", help="Which street.")] = None


@expanded
def visit(
    context: typer.Context,
    whom: Annotated[str, typer.Argument(metavar="WHOM")],
    *,
    place: Place,
    loudly: Annotated[bool, typer.Option("--loudly")] = False,
) -> None:
    """Ring at somebody's door."""
    assert context.command is not None
    typer.echo(f"{whom} {place} {loudly}")


app = typer.Typer()
app.command()(visit)


def ran(*arguments: str) -> str:
    return CliRunner().invoke(app, [*arguments], env={"COLUMNS": "100"}).output


def test_each_option_of_a_group_is_one_of_the_command_at_the_place_of_the_group() -> None:
    assert [*inspect.signature(visit).parameters] == ["context", "whom", "city", "street", "loudly"]
    told = ran("--help")
    assert "Ring at somebody's door." in told
    assert told.index("--city") < told.index("Which street.") < told.index("--loudly")


def test_the_command_gets_the_group_with_what_was_given_and_the_defaults() -> None:
    assert ran("ann", "--city", "Ulm") == "ann Place(city='Ulm', street=None) False\n"
    assert ran("--loudly", "-s", "Main", "--city", "Ulm", "ann") == (
        "ann Place(city='Ulm', street='Main') True\n"
    )


def test_what_has_no_default_must_be_given() -> None:
    assert "Missing option '--city'" in ran("ann")
