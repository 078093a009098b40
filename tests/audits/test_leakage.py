from PIL import Image

from evensight.annotations import PAPER_GRID
from evensight.audits.audit import audit
from evensight.audits.columns import AuditTable, column, tabulate
from evensight.audits.leakage import leakage, leakages, shared_pictures
from evensight.audits.pixels import Pictures
from evensight.datasets.scene_examples import SceneExamples
from evensight.datasets.subsets import Part
from evensight.scenes.catalog import design
from evensight.scenes.compose import SceneDesign
from evensight.scenes.designs import Product
from evensight.scenes.factors import cell_factor, factor


def table(name: str, **columns: str) -> AuditTable:
    n = len(next(iter(columns.values())))
    ids = tuple(f"{name}{k}" for k in range(n))
    return AuditTable(name, ids, {key: column(list(values)) for key, values in columns.items()}, tuple(columns))


def looked(*hashes: bytes | None) -> Pictures:
    return Pictures(hashes, {}, {})


def test_a_split_by_held_out_pairs_shows_as_one() -> None:
    found = leakage(table("train", shape="ccss", color="rgrb"), table("test", shape="cs", color="bg"))
    assert [shared.factors for shared in found.held_out] == [("shape", "color")]
    by_name = {shared.factors: shared for shared in found.shared}
    assert by_name["color",].both == (("b",), ("g",))
    assert by_name["color",].first == (("r",),)
    assert by_name["shape", "color"].second == (("c", "b"), ("s", "g"))
    assert found.n_same_combination == 0
    assert found.ok


def test_a_held_out_value_is_named_alone_and_not_in_every_pair() -> None:
    found = leakage(table("train", shape="cc", color="rg"), table("test", shape="ss", color="rg"))
    assert [shared.factors for shared in found.held_out] == [("shape",)]


def test_shared_combinations_are_counted_by_rows_of_the_second() -> None:
    found = leakage(table("train", shape="cs", color="rg"), table("test", shape="ccs", color="rrr"))
    assert found.n_same_combination == 2


def test_a_picture_in_both_is_a_fault() -> None:
    pair = table("train", shape="cs"), table("test", shape="cs")
    found = leakage(*pair, (looked(b"1", b"2"), looked(b"2", b"3")))
    assert (found.n_same_picture, found.same_picture) == (1, (("train1", "test0"),))
    assert not found.ok
    assert not found.as_json()["ok"]


def test_pictures_that_could_not_be_read_are_not_the_same() -> None:
    pair = table("train", shape="cs"), table("test", shape="cs")
    assert leakage(*pair, (looked(None, b"1"), looked(None, b"2"))).n_same_picture == 0
    assert leakage(*pair).n_same_picture is None


def test_several_sets_are_compared_two_by_two() -> None:
    sets = [table(name, shape="cs") for name in "abc"]
    assert [(found.first, found.second) for found in leakages(sets, [None] * 3)] == [
        ("a", "b"),
        ("a", "c"),
        ("b", "c"),
    ]


def test_the_papers_split_holds_out_the_pairs_of_shape_and_colour() -> None:
    train, test = (tabulate(SceneExamples(design(name), 108, 0)) for name in ("civet-train", "civet-test"))
    found = leakage(train, test)
    assert [shared.factors for shared in found.held_out] == [("shape", "color")]
    assert found.combined == ("shape", "color", "size", "cell")
    assert found.n_same_combination == 0
    shapes = next(shared for shared in found.shared if shared.factors == ("shape",))
    assert (shapes.n_both, shapes.first, shapes.n_second) == (4, (("plus",),), 0)


def test_a_set_leaks_wholly_into_itself() -> None:
    same = tabulate(SceneExamples(design("civet-train"), 108, 0))
    assert leakage(same, same).n_same_combination == 1620
    assert audit(same).ok


def test_pictures_of_both_sets_are_found_whatever_is_asked_about_them() -> None:
    def squares(*colors: str, size_px: int = 108) -> SceneExamples:
        names = {"shape": ["square"], "color": colors, "size": ["large"]}
        factors = (*(factor(name, values) for name, values in names.items()), cell_factor(PAPER_GRID))
        return SceneExamples(SceneDesign("squares", "squares", PAPER_GRID, Product(factors)), size_px, 0)

    reds, both = squares("red"), squares("green", "red")
    shared = shared_pictures(reds, both)
    assert sorted(shared) == sorted(example.id for example in both if example.attributes["color"] == "red")
    assert shared_pictures(reds, squares("green")) == []  # in the same places, but of another colour
    assert shared_pictures(reds, squares("red", size_px=120)) == []
    assert len(shared_pictures(reds, reds)) == 81


def test_pictures_whose_objects_are_elsewhere_are_not_read() -> None:
    whole = SceneExamples(design("civet-train"), 108, 0)
    read: list[int] = []

    class Half(Part):
        def image(self, index: int) -> Image.Image:
            read.append(index)
            return super().image(index)

    top, bottom = ([k for k, e in enumerate(whole) if (e.cell.row < 4) is is_top] for is_top in (True, False))
    assert shared_pictures(Half(whole, top, {}), Half(whole, bottom, {})) == []
    assert read == []
    assert shared_pictures(Half(whole, top[:3], {}), Half(whole, [*top[1:3], *bottom[:5]], {})) == [
        whole[k].id for k in top[1:3]
    ]
    assert len(read) < 11
