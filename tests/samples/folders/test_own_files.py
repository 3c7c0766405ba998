"""Files that cellfeat wrote into the folder of images are no samples of the next extraction."""

from pathlib import Path

from cellfeat.config import ImagesSettings, LabelsSettings
from cellfeat.samples.folders.local import LocalFolder
from cellfeat.samples.folders.own_files import own_files
from cellfeat.samples.manifest.build import build_manifest
from cellfeat.samples.manifest.manifest import Manifest

RESULTS = (
    "results/cells/samples.json",
    "results/cells/comparison.json",
    "results/cells/confusion_logreg.png",
    "results/cells/audit/audit.csv",
    "results/cells/audit/samples.json",
    "results/cells/logreg/bundle.json",
    "results/cells/logreg/arrays.safetensors",
    "results/cells/logreg/confusion.png",
    "features/cells.h5",
    "features/cells.audit.json",
)


def write(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def built(root: Path) -> Manifest:
    images = ImagesSettings(root=root, layout="folders", channels=[0])
    return build_manifest(images, LabelsSettings(file=None))


def test_results_and_features_are_no_class(tmp_path: Path) -> None:
    write(tmp_path, "wt/1.png", "ko/1.png", *RESULTS)
    manifest = built(tmp_path)
    assert set(manifest.table["label"]) == {"wt", "ko"}
    assert not manifest.remarks


def test_folders_of_results_are_found_wherever_they_lie(tmp_path: Path) -> None:
    write(tmp_path, "wt/1.png", "out/a/samples.json", "out/a/metrics.json", "out/a/confusion.png")
    folder = LocalFolder(tmp_path)
    assert own_files(folder, folder.names()) == {"out/a/samples.json", "out/a/metrics.json", "out/a/confusion.png"}


def test_classes_of_such_names_stay(tmp_path: Path) -> None:
    write(tmp_path, "results/1.png", "features/1.png", "features/samples.json", "notes.yaml", "notes.png")
    folder = LocalFolder(tmp_path)
    assert not own_files(folder, folder.names())
    assert set(built(tmp_path).table["label"]) == {"results", "features"}
