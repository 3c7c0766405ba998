import pytest

from cellfeat.errors import ConfigError
from cellfeat.recommending.clock import Clock, OutOfTimeError, parse_budget


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("text", "seconds"), [("20m", 1200), ("90s", 90), ("1h30m", 5400), ("1.5h", 5400), ("5", 300), (" 2 m ", 120)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_budget(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "20x", "-5m", "0", "0s", "1e9999", "nan", "20m extra"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--budget"):
        parse_budget(text)


def test_the_end_is_kept_free() -> None:
    time = Time()
    clock = Clock(100.0, now=time)
    assert clock.usable < 100
    assert clock.has_room(50)
    assert not clock.has_room(50, share=0.4)
    clock.keep(60.0)
    assert not clock.has_room(50)
    clock.keep(0.0)
    time.now = 99
    with pytest.raises(OutOfTimeError):
        clock.check()
