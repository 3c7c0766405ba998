"""The parts that workers are given."""

from cellfeat.extraction.shares.ray.queue import LONGEST_RUN, PartQueue
from cellfeat.extraction.writer import PartDone


def parts(n: int) -> list[range]:
    return [range(start, start + 10) for start in range(0, 10 * n, 10)]


def done(part: range) -> PartDone:
    return PartDone(part.start, part.stop, 0, "", was_there=False)


def test_runs_become_shorter_towards_the_end() -> None:
    queue, lengths = PartQueue(parts(100), []), []
    while run := queue.take(2):
        lengths.append(len(run))
        queue.done(map(done, run))
    assert lengths[0] == LONGEST_RUN
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[-4:] == [1, 1, 1, 1]
    assert sum(lengths) == 100
    assert queue.is_complete


def test_parts_of_a_lost_worker_are_made_last() -> None:
    queue = PartQueue(parts(4), [])
    first, second = queue.take(2), queue.take(2)
    queue.done(map(done, second))
    assert queue.give_back([*first, *second]) == first
    rest = [queue.take(2)[0] for _ in range(3)]
    assert rest == [*parts(4)[2:], *first]
    queue.done(map(done, rest))
    assert queue.is_complete
    assert queue.take(2) == []


def test_part_that_is_done_meanwhile_is_not_given_again() -> None:
    queue = PartQueue(parts(2), [])
    first = queue.take(1)
    queue.give_back(first)
    queue.done(map(done, first))
    assert queue.take(1) == parts(2)[1:]
    assert queue.take(1) == []


def test_parts_that_are_there_count_and_are_checked_at_the_end() -> None:
    queue = PartQueue(parts(3)[:1], parts(3)[1:])
    assert (queue.n_parts, queue.n_parts_done, queue.n_samples_done, queue.n_samples) == (3, 2, 20, 30)
    assert queue.take(1) == parts(3)[:1]
    queue.done([done(parts(3)[0])])
    assert queue.n_samples_done == 30
    assert not queue.is_complete
    queue.done(map(done, [queue.take(1)[0], queue.take(1)[0]]))
    assert queue.is_complete
