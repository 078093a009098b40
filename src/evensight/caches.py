"""Where work on a user's files is kept that would only be done again: beside no set, and never needed.

The folder is the one that `EVENSIGHT_CACHE` names (`off` for none), else `evensight` in the user's folder for caches.
Whatever is in it may be deleted at any time, be damaged, or be from another version: who reads it checks it, and who
can't write it goes on without.
"""

import os
from pathlib import Path

CACHE_VARIABLE = "EVENSIGHT_CACHE"
OFF = "off"


def cache_folder(name: str) -> Path | None:
    """The folder for one kind of work, made if need be; None where there can't be one.

    Args:
        name: What is kept there ("instances").
    """
    named = os.environ.get(CACHE_VARIABLE)
    if named == OFF:
        return None
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = (Path(named) if named else caches / "evensight") / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None
