"""White is what the files state, from the images to the embeddings; what states nothing and does not fit is told."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile

from cellfeat.config import Settings
from cellfeat.errors import ImageError
from cellfeat.extraction.extract import extract
from cellfeat.extraction.store import load_features
from tests.extraction.observers import Lines

MakeSettings = Callable[..., Settings]
OME_12 = {"ome": True, "metadata": {"axes": "YX", "SignificantBits": 12}}
PACKED_12 = {"bitspersample": 12, "photometric": "minisblack", "metadata": None}


@pytest.fixture
def extracted(settings_for: MakeSettings, cells: Path, tmp_path: Path) -> Callable[..., tuple[np.ndarray, list[str]]]:
    """Extract the cells saved in another way: embeddings and what was said. Samples of `rows` alone are changed."""

    def make(name: str, white: int, offset: int = 0, rows: range = range(1, 25), **options: Any) -> Any:
        root = tmp_path / name
        root.mkdir()
        for path in (cells / "images").iterdir():
            pixels = imagecodecs.imread(path)
            if int(path.name[:5]) in rows:
                pixels = (np.rint(pixels * (white / 255)) + offset).astype(np.uint16)
            tifffile.imwrite(root / path.with_suffix(".tif").name, pixels, **(options if pixels.itemsize > 1 else {}))
        lines, output = Lines(), tmp_path / f"{name}.h5"
        settings = settings_for(
            images__root=root, images__pattern="{sample_id:05d}_{channel}.tif", extraction__output=output
        )
        extract(settings, observer=lines)
        return load_features(output).embeddings, [line for line in lines.lines if "intensity policy" in line]

    return make


@pytest.mark.slow
@pytest.mark.parametrize("options", [OME_12, PACKED_12], ids=["ome", "packed"])
def test_stated_bits_give_the_embeddings_of_the_full_range(extracted, options):
    full, _ = extracted("full", 65535)
    stated, warnings = extracted("stated", 4095, **options)

    assert warnings == []
    np.testing.assert_allclose(stated, full, rtol=0.02, atol=0.02 * np.abs(full).max())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("white", "offset", "setting"),
    [(4095, 0, "{range: [0, 4095]}"), (16383, 0, "{range: [0, 16383]}"), (4095, 32768, "{range: [32768, 36863]}")],
)
def test_unstated_bits_and_offsets_are_told_with_the_setting(extracted, white, offset, setting):
    _, (warning,) = extracted("plain", white, offset)

    assert f"--set 'images.intensity={setting}'" in warning


@pytest.mark.slow
def test_a_subset_of_fewer_bits_is_told(extracted):
    _, (warning,) = extracted("mixed", 4095, rows=range(20, 25))

    assert "5 samples of uint16" in warning


@pytest.mark.slow
def test_values_above_the_stated_bits_stop_the_extraction(extracted):
    with pytest.raises(ImageError, match=r"\.tif.*12 bits.*white: type"):
        extracted("wrong", 65535, **OME_12)
