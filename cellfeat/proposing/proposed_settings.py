"""Settings out of choices and of what the user gave."""

from collections.abc import Sequence
from typing import Any

from cellfeat.config import Settings
from cellfeat.config_sources import Source, combine
from cellfeat.proposing.proposal import Answers, Choice, by_key
from cellfeat.samples.formats.planes import PlaneChoice

NO_LABELS: tuple[tuple[str, Any], ...] = (("labels.file", None), ("labels.label", None), ("labels.group", None))


def proposed_settings(choices: Sequence[Choice], answers: Answers) -> Settings:
    """Make settings; what the user gave replaces what is proposed.

    Parameters
    ----------
    choices
        What is proposed.
    answers
        What the user gave.

    Raises
    ------
    ConfigError
        If a value is no valid setting.
    """
    proposed = [
        Source.of_key("the proposal", key, value) for key, value in {**dict(NO_LABELS), **by_key(choices)}.items()
    ]
    given = [Source.of_key("options", key, value) for key, value in answers.settings.items()]
    return combine([*proposed, *given])


def chosen_plane(answers: Answers) -> PlaneChoice:
    """Which plane of stacks the user chose.

    Raises
    ------
    ConfigError
        If an answer is no valid setting.
    """
    return PlaneChoice.from_settings(proposed_settings((), answers).images.plane)


def with_given(choices: Sequence[Choice], answers: Answers) -> list[Choice]:
    """Give the choices without those that the user made, and the user's at the end.

    Parameters
    ----------
    choices
        What is proposed.
    answers
        What the user gave.
    """
    kept = [choice for choice in choices if not answers.given(choice.key)]
    known = {*by_key(kept), *answers.settings}
    pattern = {**by_key(kept), **answers.settings}.get("images.pattern") or ""
    # Written out, because the defaults of these settings name a table.
    for key, value in NO_LABELS:
        if key not in known:
            in_names = key == "labels.label" and "{label}" in pattern
            kept.append(Choice(key, value, "{label} of images.pattern is the class" if in_names else "none was found"))
    return kept + [Choice(key, value, "as you said") for key, value in answers.settings.items()]
