"""Grounds: what is behind the objects. A ground is a pool of pictures; which one a scene has is a draw of its own.

The rungs from synthetic to real are values of one factor: a plain colour, `gradient`, `noise`, `texture`, `photo`.
What is drawn here keeps to these:

* **No picture of a pool gives a place away.** Drawn pictures come in pairs, a picture and its negative, whose
  sum is `FLOOR + CEILING` in every pixel and channel: the mean over a pool is one flat grey, to the bit.
* **The objects stay visible.** Colours are muted: channels lie within `FLOOR` to `CEILING` and differ by little,
  so every saturated colour and white is far from all of them.
* **Same seed, same bytes** in any process and on any machine: what is drawn comes from hashes of integers, and
  pixels from one elementwise `+ - * /`, `sqrt` or `floor` after the other, which IEEE 754 rounds one way. There
  are no sums over arrays and no sines, which processors are free to do differently. Rounding to whole channels
  comes last.
* A picture is defined on the unit square: at another size it is the same picture, finer (but for white noise,
  whose grain is the pixel).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from hashlib import sha256
from math import cos, pi, sin
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from evensight.memory import ByteCache
from evensight.randomness import below, mix, unit
from evensight.runs import hash_json

Pixels = NDArray[np.uint8]
"""RGB, uint8 `[y, x, 3]`."""
Field = NDArray[np.float64]
"""A number in [0, 1] for each pixel, `[y, x]`: how much of the second of two colours there is."""
Rgb = tuple[int, int, int]

FLOOR, CEILING = 30, 150
"""Between these lie the channels of everything that is drawn; of 255."""
N_MEMBERS = 64
CACHE_BYTES = 128 * 2**20
"""How much of a pool's pixels is kept: 64 pictures of 672 px are 83 MiB."""

_FINGERPRINT_PX = 48
_TINT = 14
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_TURNS = 24


@runtime_checkable
class Ground(Protocol):
    """A pool of background pictures, square and of any size asked for."""

    @property
    def name(self) -> str:
        """The factor's value that stands for it ("texture")."""
        ...

    @property
    def fingerprint(self) -> str:
        """A hash of everything that its pixels depend on."""
        ...

    def __len__(self) -> int: ...

    def member_name(self, k: int) -> str:
        """What picture `k` is called in a manifest; unique in the pool."""
        ...

    def shows(self, k: int) -> frozenset[str]:
        """The categories of objects that picture `k` is known to show."""
        ...

    def pixels(self, k: int, size_px: int) -> Pixels:
        """Picture `k`, read-only uint8 `[size_px, size_px, 3]`."""
        ...


@dataclass(frozen=True)
class PlainGround:
    """One picture, all of one colour."""

    name: str
    rgb: Rgb

    def __post_init__(self) -> None:
        if len(self.rgb) != 3 or not all(0 <= channel <= 255 for channel in self.rgb):
            raise ValueError(f"a colour has three channels from 0 to 255, got {self.rgb}")

    @property
    def fingerprint(self) -> str:
        """A hash of its colour."""
        return hash_json({"plain": list(self.rgb)})

    def __len__(self) -> int:
        return 1

    def member_name(self, k: int) -> str:
        """The ground's own name."""
        _check_member(self, k)
        return self.name

    def shows(self, k: int) -> frozenset[str]:
        """Nothing."""
        return frozenset()

    def pixels(self, k: int, size_px: int) -> Pixels:
        """The plain picture, read-only uint8 `[size_px, size_px, 3]`."""
        _check_member(self, k)
        return _plain(self.rgb, size_px)


@dataclass(frozen=True)
class DrawnGround:
    """Pictures that are drawn from a seed, each followed by its negative.

    Attributes:
        name: "gradient", "noise" or "texture".
        seed: What the pictures are drawn from.
        n_members: How many there are; even.
    """

    name: str
    seed: int = 0
    n_members: int = N_MEMBERS
    _kept: ByteCache[tuple[int, int], Pixels] = field(
        default_factory=lambda: ByteCache(CACHE_BYTES), repr=False, compare=False
    )

    def __post_init__(self) -> None:
        if self.name not in _RECIPES:
            raise ValueError(f"a drawn ground is one of {', '.join(_RECIPES)}, got `{self.name}`")
        if self.n_members < 2 or self.n_members % 2:
            raise ValueError(f"a drawn ground's pictures come in pairs, got {self.n_members} of them")

    @cached_property
    def fingerprint(self) -> str:
        """A hash of its pictures, drawn small: another recipe, seed or number is another fingerprint."""
        digest = sha256(f"{self.name} {self.seed} {self.n_members}".encode())
        for k in range(0, self.n_members, 2):
            digest.update(self._drawn(k, _FINGERPRINT_PX).tobytes())
        return digest.hexdigest()

    def __len__(self) -> int:
        return self.n_members

    def member_name(self, k: int) -> str:
        """The kind of picture, the pair's number, and whether it is the negative: "texture-bricks-03-negative"."""
        _check_member(self, k)
        kinds = tuple(_RECIPES[self.name])
        return f"{self.name}-{kinds[k // 2 % len(kinds)]}-{k // 2:02d}{'-negative' if k % 2 else ''}"

    def shows(self, k: int) -> frozenset[str]:
        """Nothing."""
        return frozenset()

    def pixels(self, k: int, size_px: int) -> Pixels:
        """Picture `k`, read-only uint8 `[size_px, size_px, 3]`; drawn once and then kept, as far as room is."""
        _check_member(self, k)
        found = self._kept.get((k, size_px))
        return self._kept.put((k, size_px), self._drawn(k, size_px)) if found is None else found

    def _drawn(self, k: int, size_px: int) -> Pixels:
        pair = k // 2
        recipes = tuple(_RECIPES[self.name].values())
        canvas = _Canvas(mix(self.seed, f"ground {self.name}", pair), pair // len(recipes), size_px)
        picture = recipes[pair % len(recipes)](canvas)
        return np.subtract(np.uint8(FLOOR + CEILING), picture) if k % 2 else picture


@lru_cache(maxsize=8)
def drawn_ground(name: str, seed: int = 0) -> DrawnGround:
    """The process's ground of that name and seed: what it has drawn is kept for all sets."""
    return DrawnGround(name, seed)


@lru_cache(maxsize=32)
def _plain(rgb: Rgb, size_px: int) -> Pixels:
    # One row is stored and seen size_px times: a plain ground costs no memory, and copies at full speed.
    return np.broadcast_to(np.tile(np.array(rgb, dtype=np.uint8), (size_px, 1)), (size_px, size_px, 3))


def _check_member(ground: Ground, k: int) -> None:
    if not 0 <= k < len(ground):
        raise IndexError(f"the ground `{ground.name}` has pictures 0 to {len(ground) - 1}, got {k}")


@dataclass(frozen=True)
class _Canvas:
    """What a recipe draws on and from.

    Attributes:
        key: What this pair of pictures draws its chances from.
        version: Which of its kind it is: scales and angles go through their range, and are not left to chance.
        size_px: The picture's side.
    """

    key: int
    version: int
    size_px: int

    def chance(self, purpose: str, *indices: int) -> float:
        """A number in [0, 1)."""
        return unit(self.key, purpose, *indices)

    def at(self) -> tuple[Field, Field]:
        """The pixels' centres on the unit square about the origin: x `[1, x]` and y `[y, 1]`."""
        line = (2.0 * np.arange(self.size_px) + 1 - self.size_px) / (2 * self.size_px)
        return line[None, :], line[:, None]

    def turned(self, period: float) -> tuple[Field, Field, float]:
        """Coordinates in periods, turned and shifted by chance, each `[y, x]`, and how long a pixel is in them."""
        x, y = self.at()
        c, s = _direction(below(_TURNS, self.key, "turn"), _TURNS)
        u = (x * c + y * s) / period + 64 + self.chance("phase", 0)
        v = (y * c - x * s) / period + 64 + self.chance("phase", 1)
        return u, v, 1 / (self.size_px * period)

    def noise(self, purpose: str, n_x: int, n_y: int, gain: float = 1.8) -> Field:
        """Smooth noise about 0.5 with `n_x` by `n_y` bumps, `[y, x]`: a cubic B-spline through hashed values."""
        key = mix(self.key, purpose)
        lattice = _hashed(key, np.arange(n_x + 4)[None, :], np.arange(n_y + 4)[:, None])
        rows = _splined(lattice, n_y, self.size_px, unit(key, "phase", 0))
        both = _splined(np.ascontiguousarray(rows.T), n_x, self.size_px, unit(key, "phase", 1)).T
        return np.clip((both - 0.5) * gain + 0.5, 0, 1)

    def mixed(self, t: Field, grain: float = 0.12) -> Pixels:
        """The picture of two muted colours, dark and light, with a little unevenness."""
        if grain:
            t = t * (1 - grain) + self.noise("grain", 90, 90, gain=2.2) * grain
        dark, light = self._muted("dark", 40, 78), self._muted("light", 102, 140)
        channels = [np.rint(a + (b - a) * t) for a, b in zip(dark, light, strict=True)]
        return np.stack(channels, axis=-1).astype(np.uint8)

    def _muted(self, purpose: str, low: int, high: int) -> list[int]:
        grey = low + below(high - low + 1, self.key, purpose)
        tints = (below(2 * _TINT + 1, self.key, purpose, 1 + channel) - _TINT for channel in range(3))
        return [min(max(grey + tint, FLOOR), CEILING) for tint in tints]


def _direction(step: int, n_steps: int) -> tuple[float, float]:
    """The cosine and sine of `step / n_steps` of a turn, rounded so that they are the same on any machine."""
    angle = 2 * pi * step / n_steps
    return round(cos(angle) * 4096) / 4096, round(sin(angle) * 4096) / 4096


def _hashed(key: int, x: NDArray[np.int64], y: NDArray[np.int64]) -> Field:
    """Numbers in [0, 1) that look random and depend on the key and the coordinates alone; see `randomness.mix`."""
    state = _finished(np.uint64(key) ^ x.astype(np.uint64))
    state = _finished((state + _GOLDEN) ^ y.astype(np.uint64))
    hashed: Field = (state >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return hashed


def _finished(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _splined(lattice: Field, n: int, size_px: int, phase: float) -> Field:
    """The rows of a lattice seen as a cubic B-spline at `size_px` places, `[size_px, columns]`."""
    place = (np.arange(size_px) + 0.5) / size_px * n + phase
    first = np.floor(place).astype(np.int64)
    f = (place - first)[:, None]
    g = 1 - f
    weights = (g * g * g, 4 - 3 * f * f * (1 + g), 4 - 3 * g * g * (1 + f), f * f * f)
    total = lattice[first] * weights[0]
    for step in (1, 2, 3):
        total = total + lattice[first + step] * weights[step]
    return total / 6


def _frac(u: Field) -> Field:
    return u - np.floor(u)


def _edge(distance: Field, pixel: float) -> Field:
    """1 inside and 0 outside of an edge, with a ramp of a pixel: a sharp line without steps."""
    return np.clip(distance / pixel + 0.5, 0, 1)


def _band(u: Field, pixel: float, share: float = 0.5) -> Field:
    """Stripes across u, one a period, of that share of it."""
    return _edge(share / 2 - np.abs(_frac(u) - 0.5), pixel)


def _smooth(t: Field) -> Field:
    return t * t * (3 - 2 * t)


def _wave(u: Field) -> Field:
    """A smooth wave of period 1, from 0 to 1."""
    return _smooth(np.abs(2 * _frac(u) - 1))


def _linear(canvas: _Canvas) -> Pixels:
    x, y = canvas.at()
    c, s = _direction(canvas.version % 16, 16)
    along = (x * c + y * s) / (abs(c) + abs(s)) + 0.5
    return canvas.mixed(_smooth(along) if canvas.version % 2 else along, grain=0)


def _radial(canvas: _Canvas) -> Pixels:
    x, y = canvas.at()
    # Each centre is used in four versions, turned by quarters, so that no place is favoured.
    across, down = ((0.12, 0.3), (0.36, 0.2), (0.0, 0.15), (0.28, 0.38))[canvas.version // 4 % 4]
    for _ in range(canvas.version % 4):
        across, down = -down, across
    reach = np.sqrt((0.5 + abs(across)) * (0.5 + abs(across)) + (0.5 + abs(down)) * (0.5 + abs(down)))
    away = np.sqrt((x - across) * (x - across) + (y - down) * (y - down)) / reach
    return canvas.mixed(_smooth(away), grain=0)


def _speckled(canvas: _Canvas, n_bumps: int | None, *, colored: bool) -> Pixels:
    """Noise about the middle grey: mostly of brightness, a little of colour; with no bumps, the pixel's own."""

    def layer(purpose: str) -> Field:
        if n_bumps is not None:
            return canvas.noise(purpose, n_bumps, n_bumps, gain=1.7)
        at = np.arange(canvas.size_px)
        return _hashed(mix(canvas.key, purpose), at[None, :], at[:, None])

    loudness = 1.0 if n_bumps is not None else (1.0, 0.75, 0.5, 0.3)[canvas.version % 4]
    middle, reach = (FLOOR + CEILING) / 2, ((CEILING - FLOOR) / 2 - (_TINT if colored else 0)) * loudness
    bright = (layer("bright") * 2 - 1) * reach + middle
    tints = [(layer(f"tint {c}") * 2 - 1) * _TINT for c in range(3)] if colored else [np.zeros_like(bright)] * 3
    return np.rint(np.stack([bright + tint for tint in tints], axis=-1)).astype(np.uint8)


def _bumps(canvas: _Canvas) -> int:
    return (84, 42, 21, 10)[canvas.version % 4]


def _stripes(canvas: _Canvas) -> Pixels:
    u, _, pixel = canvas.turned(_period(canvas))
    return canvas.mixed(_band(u, pixel, share=0.35 + 0.3 * canvas.chance("share")))


def _checks(canvas: _Canvas) -> Pixels:
    u, v, pixel = canvas.turned(_period(canvas))
    a, b = _band(u, pixel), _band(v, pixel)
    return canvas.mixed(a * b + (1 - a) * (1 - b))


def _dots(canvas: _Canvas) -> Pixels:
    u, v, pixel = canvas.turned(_period(canvas) * 0.8)
    du, dv = _frac(u + 0.5 * (np.floor(v) % 2)) - 0.5, _frac(v) - 0.5
    return canvas.mixed(_edge(0.22 + 0.1 * canvas.chance("radius") - np.sqrt(du * du + dv * dv), pixel))


def _plaid(canvas: _Canvas) -> Pixels:
    u, v, pixel = canvas.turned(_period(canvas) * 1.4)
    threads = [
        0.3 * _band(w, pixel, 0.5) + 0.2 * np.maximum(_band(w, pixel, 0.06), _band(w + 0.5, pixel, 0.06))
        for w in (u, v)
    ]
    return canvas.mixed(threads[0] + threads[1])


def _bricks(canvas: _Canvas) -> Pixels:
    u, v, pixel = canvas.turned(_period(canvas) * 0.6)
    row = np.floor(v)
    u = u / 2.2 + 0.5 * (row % 2)
    to_side, to_top = 2.2 * (0.5 - np.abs(_frac(u) - 0.5)), 0.5 - np.abs(_frac(v) - 0.5)
    each = _hashed(mix(canvas.key, "brick"), np.floor(u).astype(np.int64), row.astype(np.int64))
    return canvas.mixed(1 - _edge(np.minimum(to_side, to_top) - 0.07, pixel) * (0.6 + 0.4 * each), grain=0.2)


def _weave(canvas: _Canvas) -> Pixels:
    u, v, _ = canvas.turned(_period(canvas) * 0.5)
    is_over = (np.floor(u) + np.floor(v)) % 2 == 0
    fu, fv = 2 * _frac(u) - 1, 2 * _frac(v) - 1
    across, along = np.where(is_over, fv, fu), np.where(is_over, fu, fv)
    shade = (1 - across * across) * (1 - 0.45 * along * along)
    return canvas.mixed(np.where(is_over, shade, 0.75 * shade))


def _clouds(canvas: _Canvas) -> Pixels:
    n = (2, 3, 4, 6)[canvas.version % 4]
    total, weight = np.zeros((canvas.size_px, canvas.size_px)), 0.0
    for octave in range(6):
        total = total + canvas.noise(f"octave {octave}", n << octave, n << octave, gain=2.2) * 0.55**octave
        weight += 0.55**octave
    return canvas.mixed(np.clip((total / weight - 0.5) * 2.2 + 0.5, 0, 1), grain=0)


def _wood(canvas: _Canvas) -> Pixels:
    _, y = canvas.at()
    n_rings = (5, 7, 10, 14)[canvas.version % 4]
    bend = canvas.noise("bend", 2, 4) * 0.35
    rings = _wave((y + bend) * n_rings + canvas.chance("phase"))
    fibres = canvas.noise("fibres", 4, 110, gain=2.2)
    turned = np.rot90(0.6 * rings + 0.4 * fibres, below(4, canvas.key, "turn"))
    return canvas.mixed(np.ascontiguousarray(turned), grain=0.08)


def _period(canvas: _Canvas) -> float:
    """A share of the picture's side: each kind has its four versions from coarse to fine, a little uneven."""
    return (1 / 6, 1 / 9, 1 / 13, 1 / 19)[canvas.version % 4] * (0.9 + 0.2 * canvas.chance("period"))


_RECIPES: Mapping[str, Mapping[str, Callable[[_Canvas], Pixels]]] = {
    "gradient": {"linear": _linear, "radial": _radial},
    "noise": {
        "white": lambda canvas: _speckled(canvas, None, colored=False),
        "blurred": lambda canvas: _speckled(canvas, _bumps(canvas), colored=False),
        "colored": lambda canvas: _speckled(canvas, None, colored=True),
        "blurred-colored": lambda canvas: _speckled(canvas, _bumps(canvas), colored=True),
    },
    "texture": {
        "checks": _checks,
        "stripes": _stripes,
        "dots": _dots,
        "bricks": _bricks,
        "clouds": _clouds,
        "wood": _wood,
        "weave": _weave,
        "plaid": _plaid,
    },
}
"""The kinds of drawn grounds and, for each, how its pictures are drawn; pairs go through these in turn."""

DRAWN: tuple[str, ...] = tuple(_RECIPES)
"""The names of the grounds that are drawn."""
