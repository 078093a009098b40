import warnings

import pytest
from PIL import Image, ImageFile

from evensight.pictures.strictness import Strict


def test_the_last_to_leave_puts_back_what_the_first_has_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 12345)
    strict = Strict()

    def settings() -> tuple[bool, int | None, int]:
        return ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS, len(warnings.filters)

    before = settings()
    for _ in range(2):
        strict.__enter__()
        inside = settings()
        assert inside[:2] == (False, None)
        strict.__enter__()
        strict.__exit__()
        assert settings() == inside
        strict.__exit__()
        assert settings() == before


def test_a_failure_puts_them_back_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(KeyError), Strict():
        raise KeyError
    assert ImageFile.LOAD_TRUNCATED_IMAGES
