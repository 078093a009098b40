"""Exports: a set in a folder that another tool eats as it is, sealed by a manifest like every run folder.

The bytes depend on the set alone; no path of the machine is in them, so a folder can be moved. An export that is
there already is left as it is; a folder with anything else in it is refused.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from evensight.datasets.examples import ExampleSet
from evensight.errors import InputError, one_of
from evensight.exchange.exports import coco, llamafactory, lmms_eval, swift, trl
from evensight.runs import RunFolder, RunManifest, fingerprint, hash_files


class Format(NamedTuple):
    """A format that a set can be exported to.

    Attributes:
        description: What it is, in a few words.
        write: Fills a folder with a set and says what is worth knowing of it.
    """

    description: str
    write: Callable[[ExampleSet, Path], dict[str, Any]]


FORMATS: Mapping[str, Format] = {
    "trl": Format("TRL: Parquet with prompt, completion and images", trl.write),
    "llamafactory": Format("LLaMA-Factory: ShareGPT JSON, dataset_info.json, pictures", llamafactory.write),
    "swift": Format("ms-swift: JSON Lines with messages and images, pictures", swift.write),
    "lmms-eval": Format("lmms-eval: a task's YAML, utils.py, Parquet", lmms_eval.write),
    "coco": Format("COCO: instances JSON with questions in fields of their own, pictures", coco.write),
}


def export(examples: ExampleSet, to: str, out: Path) -> RunManifest:
    """Writes a set in another tool's format to a folder.

    Args:
        examples: The set.
        to: The format, one of `FORMATS`.
        out: The folder.

    Raises:
        InputError: There is no such format, the set is empty or can't be said in it, or the folder holds
            something else.
    """
    if to not in FORMATS:
        raise one_of("the format", to, FORMATS)
    if not len(examples):
        raise InputError(f"`{examples.info.name}` has no examples: there is nothing to export")
    config = {"to": to, "set": examples.info.name, "n": len(examples)}
    inputs = {"data": examples.hash}
    folder = RunFolder(out)
    with folder.locked():
        if folder.is_done("export", config, inputs):
            return folder.manifest("export")
        folder.begin("export", fingerprint("export", config, inputs))
        facts = FORMATS[to].write(examples, out)
        manifest = RunManifest("export", config, inputs, hash_files(out), {"n": len(examples), **facts})
        folder.seal(manifest)
        return manifest
