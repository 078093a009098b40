"""The options that say which objects of photographs are asked for: one for each setting of `photos.rules.Rule`."""

import inspect
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from evensight.photos.rules import Rule

_PANEL = "Which objects are asked for (without these, the paper's rule)"


class Crowds(StrEnum):
    """What a crowd region does to its category."""

    COUNTED = "counted"
    IGNORED = "ignored"
    EXCLUDED = "excluded"


def _option(kind: Any, text: str, **limits: Any) -> Any:
    return Annotated[kind, typer.Option(help=text, rich_help_panel=_PANEL, show_default=False, **limits)]


_SHARE = {"min": 0.0, "max": 1.0}
_OPTIONS: dict[str, Any] = {
    "certain": _option(bool, "The rules that make an answer hard to dispute; other options change them one by one."),
    "crowds": _option(Crowds | None, "A crowd region counts as an instance, is ignored, or excludes its photograph."),
    "min_box_share": _option(float | None, "The least share of the photograph that the box covers.", **_SHARE),
    "max_box_share": _option(float | None, "The largest.", **_SHARE),
    "inside_area": _option(bool, "Only boxes inside one area."),
    "min_certainty": _option(float | None, "The least share of the box that lies in its area.", **_SHARE),
    "margin": _option(
        float | None, "The centre's least distance from a border between areas, in sides of an area.", min=0
    ),
    "clear_of_edge": _option(bool, "Only boxes off the photograph's edge, where objects are cut off."),
    "one_piece": _option(bool, "Only outlines in one piece: what is partly hidden often has several."),
    "max_overlap": _option(float | None, "The largest share of the box under another object's box.", **_SHARE),
    "max_category_share": _option(
        float | None, "Leave out categories whose boxes cover more of their photographs, in the median.", **_SHARE
    ),
    "without": _option(list[str] | None, "A category to leave out; may be given several times."),
    "only": _option(list[str] | None, "A category to keep; may be given several times."),
    "exclude": _option(
        Path | None, "A file with the ids, one a line, of objects or questions that were looked at and found wrong."
    ),
}


def takes_rule(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command an option for each setting of a rule, and the rule that they make as its argument `rule`."""
    own = [each for each in inspect.signature(command, eval_str=True).parameters.values() if each.name != "rule"]
    added = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=False if "bool" in str(kind) else None, annotation=kind
        )
        for name, kind in _OPTIONS.items()
    ]

    def run(**given: Any) -> None:
        written = {name: given.pop(name) for name in _OPTIONS}
        command(**given, rule=_rule(written))

    run.__signature__ = inspect.Signature([*own, *added])  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in (*own, *added)}
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run


def _rule(written: dict[str, Any]) -> "Rule":
    """The rule of the options that were given."""
    from evensight.photos.rules import CERTAIN_RULE, PAPER_RULE, Rule
    from evensight.settings import checked

    base = CERTAIN_RULE if written.pop("certain") else PAPER_RULE
    listed = written.pop("exclude")
    given = {name: value for name, value in written.items() if not (value is None or value is False or value == [])}
    if listed is not None:
        given["without_ids"] = _ids(listed)
    return checked(Rule, base.model_dump() | given, "the options")


def _ids(path: Path) -> tuple[int, ...]:
    """The objects' ids that a file lists: a number, or a question's id that ends with one; `#` begins a remark."""
    from evensight.errors import InputError
    from evensight.runs import one_line

    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"`{path}` can't be read: {one_line(error)}; expected an id a line") from error
    found = []
    for number, line in enumerate(lines, start=1):
        word = line.partition("#")[0].strip()
        if word:
            try:
                found.append(int(word.rpartition("-")[2]))
            except ValueError as error:
                raise InputError(
                    f"line {number} of `{path}` is no id: expected a number, or a question's id such as "
                    f"val2017-000000000139-1989, got `{word[:40]}`"
                ) from error
    return tuple(sorted(set(found)))
