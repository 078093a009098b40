from pathlib import Path

import pytest

from evensight.audits.audit import audit
from evensight.audits.foreign import open_table
from evensight.audits.pixels import look_at
from evensight.audits.redrawn import faults_of_stored
from evensight.datasets.orders import Order
from evensight.errors import InputError
from evensight.storage.formats import FORMATS, storing
from evensight.storage.stored import StoredExamples

ORDER = Order("nearest", size_px=108)
N, SHARD_ROWS = 50, 20


@pytest.fixture(params=FORMATS)
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    storing(ORDER.examples(), tmp_path / "set", request.param, N, shard_rows=SHARD_ROWS).complete()
    return tmp_path / "set"


def test_every_format_gives_back_what_was_stored(stored: Path) -> None:
    found, made = StoredExamples(stored), ORDER.examples()
    assert len(found) == N
    assert all(found[k] == made[k] for k in range(N))
    assert all((found.pixels(k) == made.pixels(k)).all() for k in (0, 19, 20, 49))


def test_every_format_can_be_audited(stored: Path) -> None:
    assert audit(StoredExamples(stored)).faults == ()
    assert faults_of_stored(stored, look_at(open_table(stored)).hashes) == []


def test_a_changed_file_is_refused(stored: Path) -> None:
    victim = max((path for path in stored.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    victim.write_bytes(victim.read_bytes()[:-1] + b"!")
    with pytest.raises(InputError, match="damaged or was changed"):
        StoredExamples(stored)


def test_another_set_where_one_was_has_its_own_pictures(tmp_path: Path) -> None:
    for order in (Order("nearest", size_px=108), Order("counting", size_px=108)):
        if (tmp_path / "set").exists():
            (tmp_path / "set").rename(tmp_path / "before")
        storing(order.examples(), tmp_path / "set", "parquet", 3).complete()
        found, made = StoredExamples(tmp_path / "set"), order.examples()
        assert all((found.pixels(k) == made.pixels(k)).all() for k in range(3))
