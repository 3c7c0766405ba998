"""``cellfeat verify``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cellfeat.commands.options.settings import needed_features
from cellfeat.commands.options.shared import weights_option
from cellfeat.commands.options.value_types import PATH_OR_URL
from cellfeat.commands.output.lines import show

if TYPE_CHECKING:
    from cellfeat.storage.url import Location


@click.command("verify")
@click.argument("file", type=PATH_OR_URL, required=False)
@click.option(
    "--images", is_flag=True, help="Also read every image again, and compare its pixels with those extracted."
)
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="K",
    help="Also extract K random samples again, and compare their embeddings.",
)
@click.option("--root", type=PATH_OR_URL, help="Folder or address of the images, if they have moved.")
@weights_option("Where the backbone's weights are now, if they have moved.")
def command(
    file: "Location | None",
    *,
    images: bool,
    sample: int | None,
    root: "Location | None",
    weights: "str | dict[str, str] | None",
) -> None:
    """Verify a feature file, or the folder of a saved head: its structure, its numbers and every checksum.

    Without FILE, the feature file of cellfeat.yaml in this folder is verified. With --images, also check that its
    images have not changed; with --sample K, that extracting K of its samples again gives the same embeddings.
    """
    from cellfeat.extraction.store import verify_features

    file = needed_features("FILE") if file is None else file
    if root and not (images or sample):
        raise click.UsageError("--root says where the images are: give --images or --sample K too")
    if isinstance(file, Path) and file.is_dir():
        _verify_head(file, wants_images=images or bool(sample))
        return
    summary = verify_features(file)
    show(f"{file}: whole; {summary.n_samples} samples, {summary.n_failed} failed, {summary.fingerprint}")
    if images or sample:
        _verify_images(file, images=images, sample=sample, root=root, weights=weights)


def _verify_head(folder: Path, *, wants_images: bool) -> None:
    from cellfeat.heads.saved.bundle_files import RECORD_FILE, load_bundle

    if wants_images and not (folder / RECORD_FILE).exists():
        raise click.UsageError(
            f"{folder} is a folder without a saved head; if it holds the images: --images --root {folder}, without a "
            "folder right behind --images"
        )
    if wants_images:
        raise click.UsageError("--images and --sample are for feature files, and this is the folder of a saved head")
    bundle = load_bundle(folder)
    show(f"{folder}: whole; {bundle.head_name}, {len(bundle.classes)} classes, {bundle.fingerprint}")


def _verify_images(
    file: "Location",
    *,
    images: bool,
    sample: int | None,
    root: "Location | None",
    weights: "str | dict[str, str] | None",
) -> None:
    from cellfeat.commands.output.console import ConsoleObserver
    from cellfeat.extraction.verification import check_pixels, check_sample, recorded_manifest

    manifest = recorded_manifest(file, root)
    if images:
        check_pixels(file, manifest)
        show(f"{manifest.root}: the pixels of all {len(manifest)} samples are those that were extracted")
    if sample:
        with ConsoleObserver() as observer:
            check = check_sample(file, manifest, sample, observer=observer, weights=weights)
        show(str(check))
