from cellfeat.auditing.channels import bad_channels
from cellfeat.near_copies.pictures import ChannelRange


def test_camera_of_12_bits_saturates_below_the_limit_of_its_file():
    rows = [ChannelRange(row, "dapi", 3, highest, 0.2) for row, highest in enumerate([4095, 4095, 2000])]
    dark = ChannelRange(3, "dapi", 65_535, 65_535, 1.0)
    hot = ChannelRange(4, "dapi", 3, 65_535, 0.0001)
    assert [(one.row, one.finding) for one in bad_channels([*rows, dark, hot])] == [
        (0, "saturated channel"), (1, "saturated channel"), (3, "constant channel")
    ]  # fmt: skip


def test_few_grey_levels_in_the_dark_are_no_saturation():
    few_levels = [ChannelRange(0, "dapi", 0, 3, 0.2), *(ChannelRange(row, "dapi", 0, 200, 0.01) for row in (1, 2))]
    assert list(bad_channels(few_levels)) == []


def test_details_name_the_channel_and_the_value():
    saturated, constant = bad_channels([ChannelRange(0, "dapi", 0, 255, 0.62), ChannelRange(1, "actin", 7, 7, 1.0)])
    assert all(noun in saturated.detail for noun in ("dapi", "62%", "255"))
    assert all(noun in constant.detail for noun in ("actin", "7"))


def test_channels_have_ceilings_of_their_own():
    ranges = [ChannelRange(0, "dapi", 0, 4095, 0.2), ChannelRange(0, "actin", 0, 255, 0.2)]
    assert [one.detail.split(":")[0] for one in bad_channels(ranges)] == ["dapi", "actin"]
