from dataclasses import replace

import numpy as np
import pytest

from cellfeat.config import ImagesSettings, LabelsSettings
from cellfeat.evaluation.saved_heads.fit import fit
from cellfeat.evaluation.saved_heads.held_out import score_held_out
from cellfeat.evaluation.saved_heads.predict import predict
from cellfeat.evaluation.saved_heads.unlike_fitted import unlike_fitted
from cellfeat.extraction.store import INTENSITIES, PIXEL_SIZES, Intensities, Properties, no_properties
from cellfeat.samples.intensity.channel_statistics import channel_statistics
from cellfeat.samples.manifest.build import build_manifest
from cellfeat.samples.reading.images import SampleReader
from tests.feature_fixtures import SMALL, build_clusters, with_samples

PLAIN = {"dtype": "uint8", "bits_stated": "8", "bits_used": 8, "height": 64, "width": 64, "file_format": "png"}


def features_of(*, seed=0, n=180, brightness=1.0, contrast=1.0, start=0, **properties):
    """Samples of two channels whose brightness varies as that of cells does."""
    rng = np.random.default_rng(seed)
    records = no_properties(n)
    for name, values in (PLAIN | properties).items():
        records[name] = values
    intensities = np.zeros((n, 2), INTENSITIES)
    intensities["mean"] = np.clip(0.25 * np.exp(0.3 * rng.normal(size=(n, 2))) * brightness, 0, 1)
    intensities["deviation"] = np.clip(0.15 * np.exp(0.3 * rng.normal(size=(n, 2))) * contrast, 0, 1)
    features = build_clusters(n=n, seed=1)
    features = replace(features, recipe={"channels": ["dapi", "er"]})
    return with_samples(
        features,
        properties=Properties(records),
        intensities=Intensities(intensities),
        digests=np.array([f"{start + i:064x}" for i in range(n)]),
    )


@pytest.fixture(scope="module")
def bundle():
    return fit(features_of(), "logreg", design=SMALL)[0]


def said(bundle, features):
    found = unlike_fitted(bundle, features)
    assert found is not None
    return [str(one) for one in found]


@pytest.mark.parametrize("seed", range(1, 9))
@pytest.mark.parametrize("n", [1, 2, 9, 180])
def test_samples_of_the_same_kind_are_not_told(bundle, seed, n):
    assert said(bundle, features_of(seed=seed).take(np.arange(n))) == []


@pytest.mark.parametrize("factor", [0.7, 0.85, 1.2, 1.4])
def test_a_plate_that_is_somewhat_brighter_is_not_told(bundle, factor):
    assert said(bundle, features_of(seed=1, brightness=factor, contrast=factor)) == []


@pytest.mark.parametrize(
    ("properties", "nouns"),
    [
        ({"dtype": "uint16", "bits_stated": "16", "bits_used": 12}, ("type: uint16 (at most 12 bits used)", "uint8")),
        ({"dtype": "uint16", "bits_stated": "12", "bits_used": 11}, ("type: uint16 of 12 bits", "11 bits used")),
        ({"file_format": "jpeg"}, ("file format: jpeg", "png")),
        ({"height": 128}, ("height: median 128", "64")),
        ({"width": np.arange(180) + 70}, ("width: median", "64")),
    ],
)
def test_other_files_are_told(bundle, properties, nouns):
    (line,) = said(bundle, features_of(seed=1, **properties))

    assert all(noun in line for noun in nouns)


def test_a_few_samples_of_another_type_are_counted(bundle):
    (line,) = said(bundle, features_of(seed=1, dtype=np.where(np.arange(180) < 7, "uint16", "uint8")))

    assert "in 7 of 180 samples" in line


@pytest.mark.parametrize("factor", [1 / 16, 1 / 4, 4])
def test_another_brightness_is_told_once_a_channel(bundle, factor):
    dapi, er = said(bundle, features_of(seed=1, brightness=factor, contrast=factor))

    assert "mean intensity of channel dapi: median" in dapi
    assert "mean intensity of channel er: median" in er


def test_another_contrast_is_told(bundle):
    assert all("contrast" in line for line in said(bundle, features_of(seed=1, contrast=1 / 8)))
    assert said(bundle, features_of(seed=1, contrast=1 / 8))


def test_other_bits_of_the_same_type_are_told():
    deep = fit(features_of(dtype="uint16", bits_stated="16", bits_used=16), "logreg", design=SMALL)[0]

    (line,) = said(deep, features_of(seed=1, dtype="uint16", bits_stated="16", bits_used=12))

    assert "bits used: median 12" in line


def test_samples_that_could_not_be_read_do_not_count(bundle):
    features = features_of(seed=1, dtype=np.where(np.arange(180) < 7, "", "uint8"))
    status = (np.arange(180) < 7).astype(np.uint8)

    assert said(bundle, with_samples(features, status=status)) == []


def test_head_without_a_summary_compares_nothing(bundle):
    assert unlike_fitted(replace(bundle, fitted_on=None), features_of(seed=1)) is None


def test_features_without_properties_compare_nothing(bundle):
    assert unlike_fitted(bundle, with_samples(features_of(), properties=None, intensities=None)) == ()


def test_predictions_and_scores_hold_the_differences(bundle):
    other = features_of(seed=1, start=1000, file_format="jpeg")

    (in_predictions,) = predict(bundle, other).unlike_fitted
    scored = score_held_out(bundle, other, draws=100)

    assert (in_predictions.what, in_predictions.here, in_predictions.fitted) == ("file format", "jpeg", "png")
    assert (in_predictions.n_samples, in_predictions.n_differing) == (180, 180)
    assert scored.unlike_fitted == (in_predictions,)
    assert scored.record()["unlike_fitted"][0]["here"] == "jpeg"


@pytest.fixture(scope="module")
def real_cells(real_data):
    """Intensities of cells of nine lines, which differ in brightness as plates do, and their labels."""
    folder = real_data / "jku_cell_lines"
    manifest = build_manifest(ImagesSettings(root=folder / "images_train"), LabelsSettings(file=folder / "y_train.csv"))
    reader = SampleReader.for_manifest(manifest)
    rows = np.random.default_rng(0).permutation(len(reader))[:1200]
    limits = np.array([[0, 255]] * 3, np.float32)
    measured = np.stack([channel_statistics(reader.read(row), limits) for row in rows])
    return measured, manifest.table["label"].to_numpy(str)[rows]


def with_intensities(measured):
    intensities = np.zeros(measured.shape[:2], INTENSITIES)
    for number, name in enumerate(INTENSITIES.names):
        intensities[name] = measured[:, :, number]
    features = replace(features_of(n=len(measured)), recipe={"channels": [0, 1, 2]})
    return with_samples(features, intensities=Intensities(intensities))


def said_of_real(fitted, other):
    bundle = fit(with_intensities(fitted), "dummy", design=SMALL)[0]
    return said(bundle, with_intensities(other))


def test_real_cells_of_another_line_are_not_told(real_cells):
    measured, label = real_cells
    for one in np.unique(label):
        assert said_of_real(measured[label != one], measured[label == one]) == []
        assert said_of_real(measured[label == one], measured[label != one]) == []


@pytest.mark.parametrize("factor", [1 / 16, 1 / 4, 2])
def test_real_cells_scaled_wrongly_are_told(real_cells, factor):
    measured, _ = real_cells
    assert said_of_real(measured[:600], measured[600:] * factor)


def stating(features, *sizes):
    return replace(features, provenance={**features.provenance, PIXEL_SIZES: [list(size) for size in sizes]})


@pytest.fixture(scope="module")
def sized():
    return fit(stating(features_of(), (0.325, 150)), "knn", design=SMALL)[0]


def test_other_pixel_size_is_told_first(sized):
    (line,) = said(sized, stating(features_of(seed=1), (0.65, 180)))
    assert line == "pixel size: 0.65 micrometres; the head was fitted on 0.325 micrometres"
    counted = said(sized, stating(features_of(seed=1), (0.1625, 20), (0.33, 160)))
    assert counted == ["pixel size: 0.1625 micrometres in 20 of 180 samples; the head was fitted on 0.325 micrometres"]


@pytest.mark.parametrize("size", [0.3, 0.325, 0.35])
def test_pixel_size_within_ten_percent_is_not_told(sized, size):
    assert said(sized, stating(features_of(seed=1), (size, 180))) == []


def test_pixel_sizes_that_one_side_does_not_state_are_not_compared(sized, bundle):
    assert said(sized, features_of(seed=1)) == []
    assert said(bundle, stating(features_of(seed=1), (0.65, 180))) == []
