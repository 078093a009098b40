"""The colours of a share: one fixed sequential scale, 0 to 100 %, the same in every picture.

The scale is viridis (Smith and van der Walt, matplotlib 1.5; CC0): its lightness rises evenly, so it reads the
same with any colour vision and in grey.
"""

_STOPS = (
    (68, 1, 84),
    (72, 36, 117),
    (65, 68, 135),
    (53, 95, 141),
    (42, 120, 142),
    (33, 145, 140),
    (34, 168, 132),
    (68, 191, 112),
    (122, 209, 81),
    (189, 223, 38),
    (253, 231, 37),
)
_DARK_INK, _LIGHT_INK = "#11151c", "#ffffff"


def fill(share: float) -> str:
    """The colour of a share between 0 and 1, as `#rrggbb`."""
    return "#" + "".join(f"{channel:02x}" for channel in _rgb(share))


def ink(share: float) -> str:
    """The colour of text that reads on `fill(share)`: the one of the higher contrast."""
    luminance = _luminance(_rgb(share))
    on_light = (luminance + 0.05) / (_luminance((17, 21, 28)) + 0.05)
    return _DARK_INK if on_light >= 1.05 / (luminance + 0.05) else _LIGHT_INK


def _rgb(share: float) -> tuple[int, int, int]:
    if not 0 <= share <= 1:
        raise ValueError(f"a share is between 0 and 1, got {share}")
    place = share * (len(_STOPS) - 1)
    k = min(int(place), len(_STOPS) - 2)
    low, high = _STOPS[k], _STOPS[k + 1]
    r, g, b = (round(x + (place - k) * (y - x)) for x, y in zip(low, high, strict=True))
    return r, g, b


def _luminance(rgb: tuple[int, int, int]) -> float:
    """The relative luminance of WCAG 2."""
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (channel / 255 for channel in rgb)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
