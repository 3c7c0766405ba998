"""Numbers that begin with 0 on one side and with 1 on the other are found; numbers that are absent are no shift."""

import pytest

from cellfeat.errors import ManifestError
from cellfeat.samples.labels.numbering import check_numbering, shift_between


def texts(*numbers: int, form: str = "{}") -> list[str]:
    return [form.format(number) for number in numbers]


@pytest.mark.parametrize(
    ("first", "form"), [("{}", "{}"), ("{:05d}", "{}"), ("cell_{}", "cell_{:03d}"), ("A1/{}", "A1/{}")]
)
@pytest.mark.parametrize(("numbers", "others", "shift"), [(range(9), range(1, 10), 1), (range(1, 10), range(9), -1)])
def test_first_number_tells_a_shift(first, form, numbers, others, shift):
    assert shift_between(texts(*numbers, form=first), texts(*others, form=form)) == shift


def test_a_shift_is_found_where_some_are_absent():
    assert shift_between(texts(0, 4, 7), texts(*range(1, 20))) == 1
    assert shift_between(texts(*range(40)), texts(*(n for n in range(1, 41) if n not in (7, 12)))) == 1


@pytest.mark.parametrize(
    ("given", "known"),
    [
        (texts(1, 2, 3), texts(2, 3, 4)),
        (texts(0, 1, 2), texts(0, 1, 2, 3)),
        (texts(0, 1, 2, 9), texts(0, 1, 2)),
        (texts(0, 30), texts(1, 2, 3)),
        (texts(0, 1, form="a{}"), texts(1, 2, form="b{}")),
        (["HeLa", "A549"], texts(1, 2)),
        (["0", "x"], ["1", "y"]),
        ([], texts(0, 1)),
        (["0" * 400 + "1"], ["1"]),
    ],
)
def test_other_differences_are_no_shift(given, known):
    assert shift_between(given, known) == 0


def test_the_message_says_what_to_do():
    with pytest.raises(
        ManifestError, match=r"^the ids count from 1, and those of the images from 0, .*take 1 from each"
    ):
        check_numbering("the ids", texts(1, 2), "the images", texts(0, 1))
