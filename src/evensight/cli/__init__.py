"""The command line: one file a command, each a thin call into the package.

What is slow to import (numpy, torch, transformers) is imported inside the commands, so that help answers in a
blink. A user's mistake is one line on stderr and exit code 2; so is a full disk or a file that can't be read.
Ctrl-C exits with 130. Anything else is a bug and keeps its traceback.
"""

import os
import sys

import typer

from evensight.cli.audit import audit
from evensight.cli.compare import compare
from evensight.cli.designs import designs
from evensight.cli.embedded import embedded
from evensight.cli.evaluate import evaluate
from evensight.cli.export import export
from evensight.cli.finetune import finetune
from evensight.cli.generate import generate
from evensight.cli.import_ import import_
from evensight.cli.models import models
from evensight.cli.photos import photos
from evensight.cli.probe import probe
from evensight.cli.report import report
from evensight.cli.score import score
from evensight.cli.study import study
from evensight.errors import InputError, is_lack_of_memory, printable, told_by_system
from evensight.models.processes import leave

app = typer.Typer(
    name="evensight",
    help="Where in the picture is a vision-language model right, and how do you make it right everywhere?",
    epilog="Start with: evensight study demo --out runs/demo",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _command in (designs, generate, audit, export, finetune, evaluate, score, compare, report, study):
    app.command()(_command)
app.add_typer(photos, name="photos")
app.add_typer(import_, name="import")
app.add_typer(embedded, name="embedded")
app.add_typer(models, name="models")
app.add_typer(probe, name="probe")


@app.callback(invoke_without_command=True)
def _options(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    if version:
        from evensight import __version__

        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Runs the command line and exits with its code."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # loaders fork after the tokenizer was used
    try:
        app()
    except InputError as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{told_by_system(error)}: free some space or check the path, then run the command again")
    except (MemoryError, RuntimeError) as error:
        if not is_lack_of_memory(error):
            raise
        said = (str(error) or type(error).__name__).splitlines()[-1]
        _fail(f"memory is too small (`{said}`): end other programs, or ask for less at a time (`--batch-size`)")
    except SystemExit as stopped:
        if stopped.code == 130:  # what typer makes of Ctrl-C
            typer.echo("stopped; run the same command again to go on", err=True)
        raise
    finally:
        leave()


def _fail(message: str) -> None:
    typer.echo(f"evensight: {printable(' '.join(message.split()))}", err=True)
    sys.exit(2)
