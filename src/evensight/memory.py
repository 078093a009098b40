"""Keeping what was made and is likely to be wanted again, up to a number of bytes."""

from collections import OrderedDict
from threading import Lock
from typing import Generic, Protocol, TypeVar

import numpy as np


class _Sized(Protocol):
    @property
    def nbytes(self) -> int: ...


Key = TypeVar("Key")
Kept = TypeVar("Kept", bound=_Sized)


class ByteCache(Generic[Key, Kept]):
    """What was used last, up to a number of bytes. It is safe among threads and travels empty to processes."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes, self.n_bytes = max_bytes, 0
        self._kept: OrderedDict[Key, Kept] = OrderedDict()
        self._lock = Lock()

    def __reduce__(self) -> tuple[type["ByteCache[Key, Kept]"], tuple[int]]:
        return type(self), (self.max_bytes,)

    def get(self, key: Key) -> Kept | None:
        """What is kept under the key, if it still is."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: Key, value: Kept) -> Kept:
        """Keeps a value, in place of those not used for longest; arrays become read-only. Gives it back."""
        if isinstance(value, np.ndarray):
            value.setflags(write=False)
        with self._lock:
            if key not in self._kept and value.nbytes <= self.max_bytes:
                self._kept[key] = value
                self.n_bytes += value.nbytes
            while self.n_bytes > self.max_bytes:
                self.n_bytes -= self._kept.popitem(last=False)[1].nbytes
        return value
