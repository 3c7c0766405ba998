"""Feature files of several networks in the commands that read or share them."""

import json
from pathlib import Path

import h5py
import pytest

from cellfeat.extraction.store import load_features
from cellfeat.page.files.written import read_written_page
from tests.commands.command_line import EXTRACT, rows_of, succeed

pytestmark = pytest.mark.slow

NETWORKS = "mobilenet_v3_small@32+efficientnet_lite0@48"
PAIR = [
    "--backbone", NETWORKS, "--weights", "mobilenet_v3_small=weights.pth", "--weights", "efficientnet_lite0=default",
]  # fmt: skip
EXTRACT_PAIR = (*EXTRACT[: EXTRACT.index("--backbone")], *PAIR, *EXTRACT[EXTRACT.index("--device") :])


@pytest.fixture(scope="module")
def paired(folder: Path) -> Path:
    """The folder with ``pair.h5``, a comparison in ``pair`` and a head ``pair-logreg`` fitted on the first samples."""
    heading, *rows = rows_of(folder / "labels.csv")
    for name, part in (("pair-train.csv", rows[:100]), ("pair-test.csv", rows[100:])):
        (folder / name).write_text("".join(",".join(row) + "\n" for row in (heading, *part)))
    listed = ("--labels", "pair-train.csv", "--set", "labels.unmatched=listed", "--output", "pair.h5")
    succeed(folder, *EXTRACT_PAIR, *listed)
    succeed(folder, "compare", "--features", "pair.h5", "--heads", "logreg", "--folds", "3", "--output", "pair")
    fit = ("fit", "--head", "logreg", "--folds", "3", "--features", "pair.h5", "--output", "pair-logreg")
    succeed(folder, *fit)
    return folder


def test_images_are_scored_by_all_networks_of_the_head(paired: Path) -> None:
    labels = ("--labels", "pair-test.csv", "--set", "labels.unmatched=listed")
    succeed(paired, "score", "--model", "pair-logreg", "--images", "images", *labels, "--output", "pair-score")
    (file,) = (paired / "pair-score").glob("*.features.h5")
    features = load_features(file)
    assert features.recipe["backbone"] == load_features(paired / "pair.h5").recipe["backbone"]
    from_file = ("--features", str(file), "--output", "pair-again")
    succeed(paired, "score", "--model", "pair-logreg", *from_file)
    scores = [json.loads((paired / one / "metrics.json").read_bytes()) for one in ("pair-score", "pair-again")]
    assert len(features) == 50
    assert scores[0]["confusion_matrix"] == scores[1]["confusion_matrix"]


def test_page_names_all_networks(paired: Path) -> None:
    succeed(paired, "view", "pair", "--output", "pair.html", "--map", "pca", "--images", "images")
    page = read_written_page(paired / "pair.html").page
    facts = {fact["name"]: fact["value"] for fact in page["overview"]["recipe"]}
    assert NETWORKS in facts["backbone"]
    assert page["thumbnails"] is not None
    assert page["map"] is not None


def test_shares_of_several_networks_give_the_bytes_of_one_process(folder: Path) -> None:
    parts = ("--set", "extraction.part_size=64")
    succeed(folder, *EXTRACT_PAIR, *parts, "--output", "one.h5")
    for share in ("0/2", "1/2"):
        succeed(folder, *EXTRACT_PAIR, *parts, "--output", "shared.h5", "--share", share)
    succeed(folder, *EXTRACT_PAIR, *parts, "--output", "shared.h5", "--consolidate")
    with h5py.File(folder / "one.h5") as one, h5py.File(folder / "shared.h5") as shared:
        assert one["embeddings"][()].tobytes() == shared["embeddings"][()].tobytes()
