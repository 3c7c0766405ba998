"""Which networks are compared where several stand side by side."""

import pytest

from cellfeat.config import Settings
from cellfeat.errors import ConfigError
from cellfeat.recommending.networks import NamedNetwork, networks_to_compare


def test_several_side_by_side_are_refused_with_what_to_do() -> None:
    with pytest.raises(ConfigError, match=r"efficientnet_lite0\+efficientnet_lite1.*one by one"):
        NamedNetwork.parsed("efficientnet_lite0+efficientnet_lite1")


def test_networks_of_the_settings_are_compared_one_by_one() -> None:
    settings = Settings.model_validate({"backbone": {"name": "efficientnet_lite0@96+efficientnet_lite1"}})
    names = [network.name for network in networks_to_compare(settings, ())]
    assert names[:2] == ["efficientnet_lite0", "efficientnet_lite1"]
