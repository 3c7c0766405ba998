"""File names of samples, for the tests of manifests."""

CHANNELS = ["blue", "red", "yellow"]


def files_of(*ids: int) -> list[str]:
    return [f"{i:05d}_{channel}.png" for i in ids for channel in CHANNELS]
