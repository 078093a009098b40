"""The report: one HTML file that needs nothing else, written from saved evaluations.

It fetches nothing and runs only its own script: a content security policy names the hashes of its one style and
one script, and allows pictures only as `data:`. All text is escaped by the templates; what comes from outside is
made harmless to look at as well (`wording.shown`). Without scripts everything is shown.
"""

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from evensight import __version__
from evensight.annotations import AREAS
from evensight.errors import InputError
from evensight.evaluation.over_seeds import OverSeeds
from evensight.evaluation.results import Results
from evensight.probing.results import ProbeResults
from evensight.reports import wording
from evensight.reports.charts import N_STYLES, marker_svg
from evensight.reports.findings import ALPHA
from evensight.reports.heatmap import legend_svg
from evensight.reports.looking import PRIOR_NEEDED
from evensight.reports.matrix import CAPTION, matrix_rows, matrix_svg
from evensight.reports.probe_charts import layers_svg
from evensight.reports.probes import change_lines, changes, left_out_lines, verdict_lines
from evensight.reports.sections import MOST_LEVELS, provenance, sections
from evensight.runs import write_text

DEFAULT_TITLE = "Where is it right?"
_MOST_IN_SHORT = 4
_TEMPLATES = PackageLoader("evensight.reports")


@dataclass(frozen=True, slots=True)
class Extras:
    """What a report shows beside its evaluations.

    Attributes:
        over: The figures of all conditions on all tests, over seeds where there are several.
        probes: Probing runs with their titles, the one that others are compared with first.
    """

    over: Sequence[OverSeeds] = ()
    probes: Sequence[tuple[str, ProbeResults]] = ()


NO_EXTRAS = Extras()


def build_report(
    runs: Sequence[Results],
    titles: Sequence[str],
    out: Path,
    *,
    title: str = DEFAULT_TITLE,
    notes: Sequence[str] = (),
    command: str = "",
    extras: Extras = NO_EXTRAS,
) -> None:
    """Writes the report on some evaluations to `out`, whole or not at all.

    Args:
        runs: The evaluations; those of one set stand side by side, the first one being what the others are
            compared with.
        titles: The condition that each run is of ("base", "balanced").
        out: The HTML file.
        title: The report's heading.
        notes: What a reader should know first ("skipped coco-val: no photographs").
        command: What to type to make it again.
        extras: What else it shows.

    Raises:
        InputError: There is no run, or two runs of a set have one title, or `out` is a folder.
    """
    _check(runs, titles, out)
    n_seeds = max((of.n_seeds for of in extras.over), default=1)
    style, script = _source("report.css"), _source("report.js")
    page = _environment().get_template("report.html.j2")
    text = page.render(
        title=title,
        notes=notes,
        command=command,
        sections=sections(runs, titles),
        provenance=[provenance(results, name) for results, name in zip(runs, titles, strict=True)],
        legend=legend_svg(),
        n_seeds=n_seeds,
        matrix=matrix_svg(extras.over) if max(n_seeds, len(extras.over)) > 1 else "",
        matrix_rows=list(matrix_rows(extras.over)),
        matrix_caption=CAPTION,
        areas=AREAS,
        alpha=ALPHA,
        most_levels=MOST_LEVELS,
        most_in_short=_MOST_IN_SHORT,
        probes=_probed(extras.probes),
        n_styles=N_STYLES,
        prior_needed=PRIOR_NEEDED,
        version=__version__,
        style=style,
        script=script,
        policy=_policy(style, script),
    )
    write_text(out, text)


def _probed(probes: Sequence[tuple[str, ProbeResults]]) -> dict[str, Any] | None:
    """What the section of probes shows: a picture, what each run says, and what changes from the first to others."""
    if not probes:
        return None
    lines = [(wording.backticked(title), [*verdict_lines(run), *left_out_lines(run)]) for title, run in probes]
    (first, run), *others = probes
    for title, other in others:
        told = list(change_lines(first, title, changes(run, other)))
        lines.append((f"{wording.backticked(title)} against {wording.backticked(first)}", told))
    return {"layers": layers_svg(probes), "lines": [(about, told) for about, told in lines if told]}


def _check(runs: Sequence[Results], titles: Sequence[str], out: Path) -> None:
    if len(runs) != len(titles):
        raise ValueError(f"each run has one title, got {len(runs)} runs and {len(titles)} titles")
    if not runs:
        raise InputError("a report needs one evaluation at least, got none")
    named = Counter((results.set_name, title) for results, title in zip(runs, titles, strict=True))
    (set_name, title), n = named.most_common(1)[0]
    if n > 1:
        raise InputError(
            f"`{wording.shown(title)}` names {n} runs on `{wording.shown(set_name)}`: expected a title of its own "
            "for each"
        )
    if out.is_dir():
        raise InputError(f"`{out}` is a folder: expected the name of an HTML file")
    if out.exists() and not out.is_file():  # a rename would put the file in place of the device
        raise InputError(f"`{out}` is a device or a pipe: expected the name of an HTML file")


def _policy(style: str, script: str) -> str:
    """The content security policy: nothing but this style, this script, and pictures inside the file."""

    def source(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    return (
        f"default-src 'none'; style-src {source(style)}; script-src {source(script)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _source(name: str) -> str:
    return _TEMPLATES.get_source(_environment(), name)[0]


def _environment() -> Environment:
    environment = Environment(
        loader=_TEMPLATES,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": wording.percent,
        "whole_percent": wording.whole_percent,
        "interval": wording.interval,
        "points": wording.size_points,
        "signed_points": wording.points,
        "p_value": wording.p_value,
        "count": wording.count,
        "shown": wording.shown,
        "named": wording.named,
        "as_json": _as_json,
    }
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    environment.globals["marker"] = marker_svg
    return environment


def _as_json(value: object) -> str:
    return wording.shown_block(json.dumps(value, indent=2, ensure_ascii=False, default=str))
