"""A tree has each beginning once, and its sums are those of the answers taken one by one."""

import pytest
import torch

from evensight.models.answer_trees import AnswerTree, log_likelihoods, plant

TOP, LEFT, RIGHT, CENTER, END, PAD = 1, 2, 3, 4, 9, 0
ANSWERS = [[TOP, LEFT, END], [TOP, END], [TOP, RIGHT, END], [CENTER, END], [END]]


def test_what_begins_alike_is_there_once() -> None:
    tree = AnswerTree.of(ANSWERS)
    assert tree.nodes == ((TOP,), (TOP, LEFT), (TOP, RIGHT), (CENTER,))
    assert tree.steps == (
        ((0, TOP), (1, LEFT), (2, END)),
        ((0, TOP), (1, END)),
        ((0, TOP), (1, RIGHT), (3, END)),
        ((0, CENTER), (4, END)),
        ((0, END),),
    )


def test_the_order_of_the_answers_changes_no_node() -> None:
    assert AnswerTree.of(ANSWERS[::-1]).nodes == AnswerTree.of(ANSWERS).nodes


def test_each_node_sees_itself_and_what_it_goes_on_from() -> None:
    forest = plant([AnswerTree.of(ANSWERS), AnswerTree.of([[CENTER, END]])], [range(5), [0]], PAD)
    assert forest.ids.tolist() == [[TOP, LEFT, RIGHT, CENTER], [CENTER, PAD, PAD, PAD]]
    assert forest.depths.tolist() == [[1, 2, 2, 1], [1, 1, 1, 1]]
    assert forest.sees[0].long().tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]]
    assert torch.equal(forest.sees[1], torch.eye(4, dtype=torch.bool))


def test_the_sums_are_those_of_the_answers_one_by_one() -> None:
    trees = [AnswerTree.of(ANSWERS), AnswerTree.of([[CENTER, RIGHT, LEFT, END], [END]])]
    forest = plant(trees, [range(5), range(2)], PAD)
    logits = torch.randn(2, 1 + forest.ids.shape[1], 10, generator=torch.Generator().manual_seed(0))
    found = log_likelihoods(logits, forest).tolist()
    words = logits.log_softmax(dim=-1)
    expected = [
        sum(float(words[k, node, id_]) for node, id_ in path) for k, tree in enumerate(trees) for path in tree.steps
    ]
    assert found == pytest.approx(expected, abs=1e-5)
    assert len(found) == 7


def test_examples_share_a_tree_and_have_its_answers_in_their_own_order() -> None:
    one, other = AnswerTree.of(ANSWERS), AnswerTree.of([[RIGHT, END], [LEFT, END]])
    orders = [[4, 0], [1, 0], [], [0, 1, 2, 3, 4]]
    forest = plant([one, other, other, one], orders, PAD)
    logits = torch.randn(4, 1 + forest.ids.shape[1], 10, generator=torch.Generator().manual_seed(1))
    found = log_likelihoods(logits, forest).tolist()
    apart = [
        log_likelihoods(logits[[k]], plant([tree, one], [order, []], PAD)).tolist()
        for k, (tree, order) in enumerate(zip([one, other, other, one], orders, strict=True))
        if order
    ]
    assert found == pytest.approx([value for each in apart for value in each], abs=1e-6)
    assert forest.ids[0].equal(forest.ids[3])
    words = logits.log_softmax(dim=-1)
    assert found[:2] == pytest.approx(
        [float(words[0, 0, END]), float(words[0, 0, TOP] + words[0, 1, LEFT] + words[0, 2, END])], abs=1e-5
    )


def test_answers_that_are_nothing_but_the_end_need_no_node() -> None:
    forest = plant([AnswerTree.of([[END]])], [[0]], PAD)
    logits = torch.zeros(1, 1, 10)
    assert forest.ids.shape == (1, 0)
    assert log_likelihoods(logits, forest).tolist() == pytest.approx([-2.302585], abs=1e-5)
