"""What one request learns slows all of them, and answers make it faster again."""

import anyio
import pytest

from evensight.models.servers.faults import Passing, Refused
from evensight.models.servers.pace import Pace, patiently


async def fail(pace: Pace, fault: Exception, after_s: float = 0.0) -> None:
    async def ask() -> None:
        async with pace.place():
            await anyio.sleep(after_s)
            raise fault

    with pytest.raises(type(fault)):
        await ask()


def limit() -> Passing:
    return Passing("slow down", is_limit=True)


def test_the_limit_falls_by_a_quarter_once_for_all_that_were_under_way() -> None:
    async def run() -> Pace:
        pace = Pace(16, 1.0, 0.1)
        async with anyio.create_task_group() as group:
            for _ in range(16):
                group.start_soon(fail, pace, limit(), 0.01)
        return pace

    pace = anyio.run(run)
    assert (pace.limit, pace.slowed) == (12.0, 1)


def test_the_limit_never_falls_below_one_and_grows_by_four_places_in_a_round() -> None:
    async def run() -> list[float]:
        pace = Pace(64, 1.0, 0.1)
        for _ in range(40):
            await fail(pace, limit())
        seen = [pace.limit]
        for _ in range(600):
            async with pace.place():
                pass
            seen.append(pace.limit)
        return seen

    seen = anyio.run(run)
    assert seen[:3] == [1.0, 5.0, 5.8]
    assert seen == sorted(seen)
    assert seen[-1] == 64.0
    near = next(k for k, one in enumerate(seen) if one >= 32)
    assert 3.5 < seen[near + 32] - seen[near] < 4


@pytest.mark.parametrize("fault", [Passing("500"), Refused(400, "no")])
def test_other_faults_leave_the_limit(fault: Exception) -> None:
    async def run() -> float:
        pace = Pace(4, 1.0, 0.1)
        await fail(pace, fault)
        return pace.limit

    assert anyio.run(run) == 4.0


def test_waits_double_with_jitter_up_to_a_bound() -> None:
    pace = Pace(1, 10.0, 1.0)
    waits = [[pace.wait_s(Passing("x"), k) for _ in range(200)] for k in range(4)]
    for k, found in enumerate(waits):
        assert 2.0**k / 2 <= min(found) <= max(found) <= 2.0**k
        assert max(found) - min(found) > 2.0**k / 4  # 200 draws of a uniform one
    assert pace.wait_s(Passing("x"), 5000) == 10.0


def test_a_wait_that_the_server_names_is_kept_up_to_the_bound() -> None:
    pace = Pace(1, 10.0, 1.0)
    assert 3.0 <= pace.wait_s(Passing("x", 3.0), 0) <= 3.1
    assert pace.wait_s(Passing("x", 3600.0), 0) == 10.0


def test_what_is_no_fault_of_the_moment_is_not_tried_again() -> None:
    n = 0

    async def ask() -> None:
        nonlocal n
        n += 1
        raise Refused(400, "no")

    with pytest.raises(Refused):
        anyio.run(patiently, Pace(1, 1.0, 0.0), 5, 1.0, ask)
    assert n == 1
