"""Tables for the terminal."""

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from evensight.evaluation.summary import Summary
from evensight.reports.wording import count, interval, p_value, percent, shown, size_points


def headline_table(rows: Iterable[tuple[str, str, Summary]]) -> Table:
    """The headline figures, a row for each condition on each test.

    Args:
        rows: `(condition, test, summary)`, in the order in which they are shown; each test has a line of its own.
    """
    table = Table(box=None, pad_edge=False, caption=_CAPTION, caption_justify="left")
    table.add_column("", no_wrap=True)
    for name in ("accuracy", "95 % interval", "n", "invalid", "SD", "worst", "p"):
        table.add_column(name, justify="right", no_wrap=True)
    previous = None
    for condition, test, summary in rows:
        if test != previous:
            table.add_row(Text(shown(test, 40), style="bold"))
        table.add_row(*_figures(condition, summary))
        previous = test
    return table


_CAPTION = (
    "SD: of the cells' accuracies, in points. worst: the cell of lowest accuracy. p: the test that all are equal."
)


def _figures(condition: str, summary: Summary) -> list[Text]:
    texts = [
        f"  {shown(condition, 40)}",
        percent(summary.accuracy.estimate),
        interval(summary.accuracy),
        count(summary.accuracy.n),
        count(summary.n_invalid),
        size_points(summary.cell_std),
        percent(summary.worst_cell.accuracy.estimate),
        p_value(summary.uniformity.p_value).removeprefix("p").removeprefix("\u00a0=").strip(),
    ]
    return [Text(text) for text in texts]
