"""YAML files that users write: read without trust, as one mapping or not at all.

A key that is there twice is an error, for the first one's values would be lost unseen. Aliases can make a few lines
into more values than any memory holds, so what a file comes to, with every alias written out, is bounded.
"""

from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any

import yaml
from typing_extensions import override

from evensight.errors import InputError
from evensight.runs import one_line

MAX_BYTES = 2**20
MAX_VALUES = 100_000


def read_yaml(path: Path, where: str, names: Iterable[str], *, instead: str) -> dict[str, Any]:
    """The mapping that a YAML file holds.

    Args:
        path: The file.
        where: What it is to the user, for the error's message ("the study `mine.yaml`").
        names: What its keys may be.
        instead: What else can be named, where the file is not there.

    Raises:
        InputError: It is not there, too long, not YAML, has a key twice, or is no mapping of names.
    """
    try:
        node = yaml.compose(_text(path, where), yaml.SafeLoader)
        _check_size(node, where)
        content = None if node is None else _Constructor().construct_document(node)
    except FileNotFoundError as error:
        raise InputError(f"{where} is not there: expected a YAML file, or {instead}") from error
    except InputError:
        raise
    except (
        OSError,
        yaml.YAMLError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        RecursionError,
    ) as error:  # PyYAML's own slips (`!!bool maybe`, the 31st of February) are among these
        raise InputError(f"{where} can't be read as YAML: {one_line(error)}") from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise InputError(f"{where} is not a mapping: expected {', '.join(names)}")
    return content


class _Constructor(yaml.constructor.SafeConstructor):
    """Makes values of a YAML document; a key that is there twice is an error, and half a character."""

    @override
    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        if isinstance(node, yaml.ScalarNode) and not _is_text(node.value):
            raise yaml.constructor.ConstructorError(None, None, "half a character (`\\ud800`)", node.start_mark)
        return super().construct_scalar(node)

    @override
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(None, None, f"the key `{twice}` is there twice", node.start_mark)
        return super().construct_mapping(node, deep)


def _is_text(value: str) -> bool:
    """Whether a text can be stored: an escape can write half of a character."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text(path: Path, where: str) -> str:
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise InputError(f"{where} has more than {MAX_BYTES:,} bytes: expected a file that somebody wrote")
    return content.decode()


def _check_size(node: yaml.Node | None, where: str) -> None:
    """Checks how many values a document comes to, each alias counted as all that it stands for."""
    sizes: dict[int, int] = {}

    def size(node: Any) -> int:
        if id(node) not in sizes:
            sizes[id(node)] = MAX_VALUES + 1  # which an alias of what it stands in comes to
            inner = node.value if isinstance(node, yaml.CollectionNode) else ()
            parts = (part for item in inner for part in (item if isinstance(item, tuple) else (item,)))
            sizes[id(node)] = 1 + sum(map(size, parts))
        return sizes[id(node)]

    if node is not None and size(node) > MAX_VALUES:
        raise InputError(f"{where} comes to more than {MAX_VALUES:,} values: write out what its aliases stand for")
