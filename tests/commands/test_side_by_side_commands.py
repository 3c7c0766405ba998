"""Commands on two networks side by side: from images to predictions for new images."""

from pathlib import Path

import pytest
import torch
from torchvision import models

from tests.commands.command_line import EXTRACT, refused, rows_of, run_cli, succeed

PAIR = "mobilenet_v3_small+squeezenet1_1"
OUTPUT = ("--output", "features/pair.h5")


@pytest.fixture(scope="module")
def weights(folder: Path) -> tuple[str, ...]:
    torch.manual_seed(0)
    torch.save(models.get_model("squeezenet1_1").state_dict(), folder / "squeeze.pth")
    return ("--weights", "mobilenet_v3_small=weights.pth", "--weights", "squeezenet1_1=squeeze.pth")


@pytest.fixture(scope="module")
def extraction(folder: Path, weights: tuple[str, ...]) -> tuple[str, ...]:
    """The command that extracts by the two networks, which has been run."""
    plain = [word for word in EXTRACT if word not in ("--weights", "weights.pth")]
    command = (*plain, "--backbone", PAIR, *weights, *OUTPUT)
    succeed(folder, *command)
    return command


@pytest.mark.slow
def test_from_images_to_predictions_for_new_images(folder: Path, extraction: tuple[str, ...]) -> None:
    assert "finished already" in succeed(folder, *extraction).stderr
    assert f"backbone     {PAIR}, weights mobilenet_v3_small=weights.pth" in (
        succeed(folder, "inspect", "features/pair.h5").stdout
    )
    succeed(folder, "fit", "--features", "features/pair.h5", "--head", "knn", "--folds", "2", "--output", "pair-knn")
    assert PAIR in (folder / "pair-knn" / "README.md").read_text()
    succeed(folder, "predict", "--model", "pair-knn", "--images", "images", "--output", "pair.csv")
    assert len(rows_of(folder / "pair.csv")) == 151


@pytest.mark.slow
def test_moved_weights_of_one_network_are_enough(folder: Path, extraction: tuple[str, ...]) -> None:
    (folder / "squeeze.pth").rename(folder / "moved.pth")
    try:
        verify = ("verify", "features/pair.h5", "--sample", "2")
        assert "squeeze.pth" in refused(folder, *verify)
        succeed(folder, *verify, "--weights", "squeezenet1_1=moved.pth")
    finally:
        (folder / "moved.pth").rename(folder / "squeeze.pth")


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (("--weights", "weights.pth"), 1, "squeezenet1_1=default"),
        (("--weights", "squeezenet1_1=squeeze.pth"), 1, "--weights mobilenet_v3_small=FILE"),
        (("--weights", "a.pth", "--weights", "b.pth"), 2, "BACKBONE=FILE"),
        (("--weights", "resnet18=a.pth", "--weights", "b.pth"), 2, "BACKBONE=FILE"),
        (("--backbone", "resnet18+resnet19"), 1, "resnet19"),
        (("--backbone", "resnet18+resnet18"), 1, "twice"),
    ],
)
def test_wrong_names_and_weights_are_refused(
    options: tuple[str, ...], code: int, told: str, folder: Path, weights: tuple[str, ...]
) -> None:
    plain = [word for word in EXTRACT if word not in ("--weights", "weights.pth")]
    assert told in refused(folder, *plain, "--backbone", PAIR, *options, "--output", "features/x.h5", code=code)
    assert not (folder / "features" / "x.h5").exists()


def test_inspect_describes_each_network(folder: Path) -> None:
    done = run_cli(folder, "inspect", "squeezenet1_1+mobilenet_v3_small@64")
    assert done.returncode == 0
    assert "side by side   1536 numbers: 512 + 1024" in done.stdout
