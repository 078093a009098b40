"""What has come of a file that isn't whole: its bytes, and of which version of it they are.

The bytes stand beside the file's place, in `.download-NAME`; what the server calls this version of the file in
`.download-NAME.json`. The bytes are always a prefix of what the server sent: they are only ever added to, and the
version is written before the first of them, and goes before the last.
"""

import json
import os
from pathlib import Path

from evensight.runs import flush, write_json


class Part:
    """What has come of a file, and of which version of it."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f".download-{name}"
        self._state = folder / f".download-{name}.json"

    @property
    def n_bytes(self) -> int:
        """How many bytes have come."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def validator(self) -> str | None:
        """What the server called the version that they are of; None where it didn't."""
        try:
            value = json.loads(self._state.read_bytes())["validator"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return value if isinstance(value, str) else None

    def begin(self, validator: str | None) -> None:
        """Throws away what is there; only then is the new version's name written."""
        self.discard()
        if validator is not None:
            write_json(self._state, {"validator": validator})

    def discard(self) -> None:
        """Throws away what has come."""
        self.path.unlink(missing_ok=True)
        self._state.unlink(missing_ok=True)

    def publish(self, target: Path) -> None:
        """Gives the file its name, once its bytes are on the disk."""
        target.parent.mkdir(parents=True, exist_ok=True)
        flush(self.path)
        self._state.unlink(missing_ok=True)
        self.path.replace(target)
        flush(target.parent)


def write_all(descriptor: int, block: bytes) -> None:
    """Writes a block, of which a disk that gets full may take but a part."""
    rest = memoryview(block)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
