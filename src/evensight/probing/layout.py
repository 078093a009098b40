"""Where states are read, and how those of a set lie on the disk."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Site:
    """A place where states are read: a position, and which state of the language model (0 for the vision tower)."""

    position: str
    state: int


@dataclass(frozen=True, slots=True)
class Layout:
    """What the chunks hold.

    Attributes:
        states: Which states of the language model.
        language: The positions among its tokens.
        vision: The positions among the vision tower's patches.
        left_out: The positions that were asked for and aren't there, with the reasons.
        n_by_chunk: How many examples a chunk has; the last one may have fewer.
        n: How many examples there are.
    """

    states: tuple[int, ...]
    language: tuple[str, ...]
    vision: tuple[str, ...]
    left_out: Mapping[str, str]
    n_by_chunk: int
    n: int

    @property
    def sites(self) -> tuple[Site, ...]:
        """All places, the vision tower's first, then by position and state."""
        language = (Site(position, state) for position in self.language for state in self.states)
        return (*(Site(position, 0) for position in self.vision), *language)

    @property
    def chunks(self) -> tuple[range, ...]:
        """The examples of each chunk, by index."""
        starts = range(0, self.n, self.n_by_chunk)
        return tuple(range(start, min(start + self.n_by_chunk, self.n)) for start in starts)

    def as_json(self) -> dict[str, Any]:
        """The layout as JSON."""
        return {
            "states": list(self.states),
            "language": list(self.language),
            "vision": list(self.vision),
            "left_out": dict(self.left_out),
            "n_by_chunk": self.n_by_chunk,
            "n": self.n,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Layout":
        """The layout that `as_json` gave."""
        lists = {name: tuple(value[name]) for name in ("states", "language", "vision")}
        return cls(**lists, left_out=dict(value["left_out"]), n_by_chunk=value["n_by_chunk"], n=value["n"])
