"""A set's pictures as files, each stored once: examples that show the same picture share its file."""

import hashlib
from pathlib import Path

from evensight.datasets.examples import Example, ExampleSet
from evensight.errors import InputError
from evensight.progress import track
from evensight.runs import atomic_folder

PICTURES = "images"
"""The folder of the pictures, beside the file that names them."""

_SUFFIXES = ((b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpg"))


def write_pictures(examples: ExampleSet, folder: Path) -> tuple[str, ...]:
    """Writes the pictures to a folder, whole or not at all, and gives the name of each example's file.

    A file is called after the first example that shows it.

    Raises:
        InputError: An example's picture is neither PNG nor JPEG, or two examples have one id.
    """
    name_of: dict[bytes, str] = {}
    seen: set[str] = set()
    shown: list[str] = []
    with atomic_folder(folder) as temporary:
        for index in track(range(len(examples)), "writing pictures", len(examples), "examples"):
            encoded, example_id = examples.encoded(index), examples[index].id
            if example_id in seen:
                raise InputError(f"`{example_id}` is the id of two examples: a picture's file is called after it")
            seen.add(example_id)
            digest = hashlib.sha256(encoded).digest()
            if digest not in name_of:
                name_of[digest] = picture_name(example_id, encoded)
                (temporary / name_of[digest]).write_bytes(encoded)
            shown.append(name_of[digest])
    return tuple(shown)


def picture_name(example_id: str, encoded: bytes) -> str:
    """The name of an example's picture file, by what its bytes are.

    Raises:
        InputError: They are neither PNG nor JPEG, or the id would lead out of the folder.
    """
    if Path(example_id).name != example_id or example_id.startswith("."):
        raise InputError(f"the id `{example_id}` can't name a picture's file")
    for magic, suffix in _SUFFIXES:
        if encoded.startswith(magic):
            return f"{example_id}.{suffix}"
    raise InputError(f"the picture of `{example_id}` is neither PNG nor JPEG: make the set again")


def refuse_tags(example: Example, tags: tuple[str, ...]) -> None:
    """Refuses a text in which the reader would see a tag of its own, such as `<image>`.

    Raises:
        InputError: The question or the answer holds one.
    """
    for text in (example.question.text, example.question.answer):
        for tag in tags:
            if tag in text:
                raise InputError(
                    f"`{example.id}` says `{tag}`, which this format reads as a tag: rename what it asks for"
                )
