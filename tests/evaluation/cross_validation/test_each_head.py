import pytest

from cellfeat.errors import HeadError
from cellfeat.evaluation.cross_validation.each_head import each_head
from cellfeat.evaluation.results.head_results import HeadFailure


def run(heads, **errors):
    """Evaluate heads; those named in `errors` raise. Returns what finished, and the outcomes in order."""
    outcomes = []

    def evaluate(head):
        if head in errors:
            raise errors[head]
        return head.upper()

    return each_head(heads, evaluate, outcomes.append), outcomes


def test_failed_head_does_not_stop_the_others():
    finished, outcomes = run(["a", "b", "c"], b=HeadError("no memory"))
    assert finished.results == ("A", "C")
    assert finished.failures == (HeadFailure("b", "no memory"),)
    assert finished.is_complete
    assert outcomes == ["A", HeadFailure("b", "no memory"), "C"]


def test_error_where_every_head_failed():
    with pytest.raises(HeadError, match=r"no memory.*no convergence"):
        run(["a", "b"], a=HeadError("no memory"), b=HeadError("no convergence"))


def test_other_errors_are_raised():
    with pytest.raises(TypeError):
        run(["a", "b"], b=TypeError())


def test_ctrl_c_keeps_what_is_finished():
    finished, outcomes = run(["a", "b", "c", "d"], b=HeadError("no memory"), c=KeyboardInterrupt())
    assert not finished.is_complete
    assert finished.results == ("A",)
    assert [failure.head for failure in finished.failures] == ["b", "c", "d"]
    assert finished.failures[0].reason == "no memory"
    assert all("interrupted" in failure.reason for failure in finished.failures[1:])
    assert outcomes == ["A", finished.failures[0]]


@pytest.mark.parametrize("before", [{}, {"a": HeadError("no memory")}])
def test_ctrl_c_before_any_result_is_raised(before):
    heads = [*before, "b", "c"]
    with pytest.raises(KeyboardInterrupt):
        run(heads, **before, b=KeyboardInterrupt())
