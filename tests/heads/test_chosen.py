"""Settings that heads choose themselves, as they are recorded and told."""

import pytest

from cellfeat.heads.chosen import Chosen, chosen_settings, describe_chosen


class Fitted:
    """Anything with the attribute in which heads keep what they chose."""

    def __init__(self, chosen):
        self.chosen_ = chosen


def test_record_holds_the_value_and_what_was_compared():
    record = chosen_settings(Fitted({"epochs": Chosen(120, (60, 120, 240))}))
    assert record == {"epochs": {"value": 120, "candidates": [60, 120, 240]}}


@pytest.mark.parametrize("classifier", [object(), Fitted(3), Fitted({"C": 0.1}), Fitted({})])
def test_other_classifiers_chose_nothing(classifier):
    assert chosen_settings(classifier) == {}


def test_line_names_every_setting():
    record = chosen_settings(Fitted({"C": Chosen(1.0, (1.0, 2.0)), "epochs": Chosen(60, ())}))
    assert describe_chosen(record) == "C=1.0 (chosen from 1.0, 2.0), epochs=60 (too few samples to choose)"
