"""Tables for the terminal."""

from collections.abc import Iterable, Mapping

from rich.table import Table
from rich.text import Text

from evensight.datasets.priors import ALWAYS_CENTER, CATEGORY
from evensight.datasets.swapped import WrongPhoto
from evensight.evaluation.beside import Beside
from evensight.evaluation.summary import Summary
from evensight.reports.wording import ABSENT, bare_p_value, count, interval, percent, shown, size_points


def headline_table(rows: Iterable[tuple[str, str, Summary]]) -> Table:
    """The headline figures, a row for each condition on each test.

    Below a score on photographs stands what the condition reaches with the wrong photo, and below the last one of the
    test what is reached without a model.

    Args:
        rows: `(condition, test, summary)`, in the order in which they are shown; each test has a line of its own.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), caption=_CAPTION, caption_justify="left")
    table.add_column("", overflow="fold")  # on a narrow terminal names are broken, never numbers
    for name in ("accuracy", "95 % interval", "n", "invalid", "SD", "worst", "p"):
        table.add_column(name, justify="right", no_wrap=True)
    listed = list(rows)
    for k, (condition, test, summary) in enumerate(listed):
        if k == 0 or test != listed[k - 1][1]:
            table.add_row(Text(shown(test, 40), style="bold"))
        table.add_row(*_figures(condition, summary))
        if summary.of_photos:
            _add_beside(table, _controls(summary))
        is_last = k + 1 == len(listed) or test != listed[k + 1][1]
        if is_last and summary.baselines:
            _add_beside(table, {name: summary.baselines.get(name) for name in (ALWAYS_CENTER, CATEGORY)})
    if any(summary.of_photos for _, _, summary in listed):
        table.caption = f"{_CAPTION}\n{_CAPTION_OF_PHOTOS}"
    return table


_CAPTION = (
    "SD: of the cells' accuracies, in points. worst: the cell of lowest accuracy. p: the test that all are equal."
)
_WRONG_PHOTO = WrongPhoto.name.replace("-", " ")
_CAPTION_OF_PHOTOS = (
    f"{_WRONG_PHOTO}: the model, each question asked about another photograph. {ALWAYS_CENTER}, {CATEGORY}: without "
    "a model; a prior needs photographs of a training split."
)


def _controls(summary: Summary) -> dict[str, Beside | None]:
    """What a condition reaches on each control: the wrong photo first, also where it wasn't asked."""
    others = {name.replace("-", " "): of for name, of in summary.controls.items()}
    return {_WRONG_PHOTO: summary.wrong_photo} | others


def _add_beside(table: Table, found: Mapping[str, Beside | None]) -> None:
    """Lines of what stands beside a score; of what isn't there a line says so."""
    for name, of in found.items():
        label = Text(f"    {name}", style="dim")
        if of is None:
            table.add_row(label, Text(ABSENT))
        else:
            table.add_row(label, percent(of.accuracy.estimate), interval(of.accuracy), count(of.accuracy.n))


def _figures(condition: str, summary: Summary) -> list[Text]:
    texts = [
        f"  {shown(condition, 40)}",
        percent(summary.accuracy.estimate),
        interval(summary.accuracy),
        count(summary.accuracy.n),
        count(summary.n_invalid),
        size_points(summary.cell_std),
        percent(summary.worst_cell.accuracy.estimate),
        bare_p_value(summary.uniformity.p_value),
    ]
    return [Text(text) for text in texts]
