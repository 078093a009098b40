"""Checkpoints of the Hub: their names, their commits, and when code of theirs may run.

A checkpoint is `OWNER/NAME` or `OWNER/NAME@REVISION`. What identifies it is the commit that its revision stands for,
so that a repository that changed is another model. Code of a checkpoint runs only where the user allows it and names
the whole commit, for a branch or a tag can be moved; it must be that repository's own.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from evensight.errors import InputError
from evensight.runs import one_line, read_json

_NAME = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+?)(@(?P<revision>[\w./-]+))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_MAY_NAME_CODE = (
    "config.json",
    "processor_config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "tokenizer_config.json",
)


_code_allowed: ContextVar[bool] = ContextVar("code_allowed", default=False)


@contextmanager
def code_allowed(allowed: bool) -> Iterator[None]:
    """While the block runs, `loading.load` may run code of a checkpoint, under the rule above, if `allowed`."""
    token = _code_allowed.set(allowed)
    try:
        yield
    finally:
        _code_allowed.reset(token)


def is_code_allowed() -> bool:
    """Whether the user allows code of checkpoints, under the rule above."""
    return _code_allowed.get()


def may_run_code(name: str, given: "HubId | None") -> bool:
    """Whether the user allows code of a checkpoint.

    Raises:
        InputError: It is allowed, but it is not a checkpoint of the Hub with its commit, or its code is another's.
    """
    if _code_allowed.get():
        _check_code(name, given)
    return _code_allowed.get()


@dataclass(frozen=True, slots=True)
class HubId:
    """A repository of the Hub at some revision; none for its main branch."""

    repository: str
    revision: str | None = None

    @property
    def is_pinned(self) -> bool:
        """Whether the revision is a whole commit, which can't move."""
        return self.revision is not None and _COMMIT.fullmatch(self.revision) is not None


def hub_id(name: str) -> HubId | None:
    """The Hub id that a name stands for; None if it is none."""
    found = _NAME.fullmatch(name)
    return None if found is None or name.startswith(".") else HubId(found["repository"], found["revision"])


@lru_cache(maxsize=64)
def pinned(given: HubId) -> HubId:
    """The same repository at the commit that its revision stands for; without a network, in the local cache.

    Asked once in a process, so that what is loaded is what was identified.

    Raises:
        InputError: The commit can't be known.
    """
    if given.is_pinned:
        return given
    known = _asked(given) or _cached(given)
    if known is None:
        raise InputError(
            f"the commit of `{_shown(given)}` is not known: it is not in the local cache, and the Hub can't be "
            "asked; go online, or name a local folder"
        )
    return HubId(given.repository, known)


def _asked(given: HubId) -> str | None:
    """The commit that the Hub tells; None where it can't be reached.

    Raises:
        InputError: The Hub has no such repository or revision, or shows it only to others.
    """
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    if constants.HF_HUB_OFFLINE:
        return None
    try:
        return HfApi().model_info(given.repository, revision=given.revision, timeout=10).sha
    except (HfHubHTTPError, HFValidationError) as error:
        if getattr(getattr(error, "response", None), "status_code", 404) < 500:
            raise InputError(f"the Hub has no `{_shown(given)}` for you: {one_line(error)}") from error
        return None
    except Exception:
        return None


def _cached(given: HubId) -> str | None:
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(given.repository, "config.json", revision=given.revision)
    return Path(path).parent.name if isinstance(path, str) else None


def _check_code(name: str, given: HubId | None) -> None:
    if given is None or not given.is_pinned:
        raise InputError(
            f"code of `{name}` is not run: allowing it takes a checkpoint of the Hub with its whole commit, "
            "`OWNER/NAME@COMMIT` of 40 hexadecimal digits, so that what runs is what you have read"
        )
    others = sorted({ref.split("--")[0] for ref in _code_references(given) if "--" in ref} - {given.repository})
    if others:
        raise InputError(
            f"code of `{name}` is not run: it is kept in {', '.join(f'`{one}`' for one in others)}, whose revision "
            f"your commit does not pin; use a checkpoint that has its code itself"
        )


def names_code(source: str, given: HubId | None) -> bool:
    """Whether a checkpoint says that it needs code of its own."""
    return bool(_code_references(given) if given is not None else _references_in(Path(source)))


def _code_references(given: HubId) -> list[str]:
    from transformers.utils import cached_file

    found = []
    for file in _MAY_NAME_CODE:
        path = cached_file(
            given.repository,
            file,
            revision=given.revision,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
            _raise_exceptions_for_gated_repo=False,
        )
        found += _strings(_auto_map(Path(path))) if path else []
    return found


def _references_in(folder: Path) -> list[str]:
    return [ref for file in _MAY_NAME_CODE if (folder / file).exists() for ref in _strings(_auto_map(folder / file))]


def _auto_map(path: Path) -> Any:
    return read_json(path, "checkpoint's configuration").get("auto_map", {})


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [one for part in parts for one in _strings(part)]


def _shown(given: HubId) -> str:
    return given.repository + (f"@{given.revision}" if given.revision else "")
