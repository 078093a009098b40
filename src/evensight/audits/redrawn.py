"""A stored set of scenes against its own design: what it holds is drawn again and has to be the same.

A count can't see that a square is labelled "plus". But the manifest says from which design, seed and size a set was
made, and a design draws the same scene anywhere: so every row and every pixel can be compared with what they must be.
"""

from collections.abc import Sequence
from pathlib import Path

from evensight.datasets.orders import made_again
from evensight.pictures.decoding import pixel_hash
from evensight.progress import track
from evensight.runs import MANIFEST_NAME, read_json
from evensight.storage.shards import KIND
from evensight.storage.stored import StoredExamples


def faults_of_stored(path: Path, hashes: Sequence[bytes | None]) -> list[str]:
    """What in a stored set isn't what its design makes; empty also where that can't be told.

    It can't be told of what isn't stored as a set (an export, a folder in COCO's layout), of sets that aren't scenes,
    and of scenes that were made with photographs.

    Args:
        path: What was audited.
        hashes: The `pixel_hash` of each of its pictures; None for one that can't be read.

    Raises:
        InputError: The set is damaged.
    """
    manifest_path = path / MANIFEST_NAME
    if not manifest_path.is_file() or read_json(manifest_path, "run manifest").get("kind") != KIND:
        return []
    stored = StoredExamples(path)
    drawn = made_again(stored.info.config)
    if drawn is None:
        return []
    if len(stored) > len(drawn):
        return [f"the set has {len(stored):,} examples, its design makes {len(drawn):,}"]
    faults = []
    for index in track(range(len(stored)), f"drawing {stored.info.name} again", len(stored), "scenes"):
        example = stored[index]
        if example != drawn[index]:
            faults.append(f"`{example.id}`: the row isn't what the design makes")
        if hashes[index] != pixel_hash(drawn.image(index)):
            faults.append(f"`{example.id}`: the picture isn't what the design draws")
    return faults
