"""``cellfeat demo``."""

from pathlib import Path

import click

from cellfeat.commands.output.lines import show
from cellfeat.commands.output.page_writing import refresh_page
from cellfeat.processors import usable_processors

SETTINGS = {
    "backbone.name": "efficientnet_lite0",
    "preprocessing.input_size": 128,
    "preprocessing.crop": "none",
    "extraction.part_size": 256,
}
MOST_PROCESSES = 8
"""Processes that draw cells: starting more takes longer than they save."""


@click.command("demo")
@click.option("--samples", type=click.IntRange(min=200), default=1200, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default=Path("demo"), show_default=True)
def command(samples: int, seed: int, output: Path) -> None:
    """Run every step on generated cells: images, features, a comparison of heads, a saved head.

    The images are generated: the scores say nothing about real cells.
    """
    from cellfeat.commands.output.console import ConsoleObserver
    from cellfeat.commands.steps.comparison import compare_and_report
    from cellfeat.commands.steps.fitting import fit_and_save, print_head
    from cellfeat.config_sources import load_settings
    from cellfeat.extraction.extract import extract
    from cellfeat.extraction.store import load_features
    from cellfeat.samples.synthetic import synthetic_labels, write_synthetic_cells

    _check_folder(output, synthetic_labels(samples, seed))
    show(f"the images are generated, not real: {samples} three-channel cells of 9 classes, seed {seed}")
    write_synthetic_cells(output, n_samples=samples, seed=seed, n_processes=min(usable_processors(), MOST_PROCESSES))
    settings = load_settings(overrides=SETTINGS | _places(output) | {"comparison.seed": seed})
    with ConsoleObserver() as observer:
        extract(settings, observer=observer)
    features = load_features(settings.extraction.output)
    best = compare_and_report(settings, features).best.head
    show(f"\nthe best, {best}, fitted on all samples:\n")
    print_head(fit_and_save(settings, features, best, output / "results" / best))
    show()
    refresh_page(output / "results", features)
    refresh_page(output / "results" / best, features)
    show(_what_next(output, best))


def _check_folder(output: Path, labels: str) -> None:
    """Refuse a folder with images or labels other than those of this demo: it would write over them."""
    from cellfeat.errors import WriteError

    table, images = output / "labels.csv", output / "images"
    is_own = table.is_file() and table.read_bytes() == labels.encode()
    if not is_own and (table.exists() or (images.is_dir() and any(images.iterdir()))):
        raise WriteError(
            f"{output}: holds images or labels that this demo did not write, and it would write over them: choose "
            f"another --output"
        )


def _places(output: Path) -> dict[str, str]:
    return {
        "images.root": str(output / "images"),
        "labels.file": str(output / "labels.csv"),
        "extraction.output": str(output / "features.h5"),
        "comparison.output": str(output / "results"),
    }


def _what_next(output: Path, best: str) -> str:
    return f"""
images and labels   {output}/images, {output}/labels.csv
embeddings          {output}/features.h5
results             {output}/results (comparison.json, predictions.parquet, confusion_*.png)
page                {output}/results/page.html (open it in a browser)
saved head          {output}/results/{best}

Now with your own images:
  cellfeat init DIR                    (looks at the images and tables in DIR, and writes cellfeat.yaml)
  cellfeat extract                     (or, without a download: cellfeat extract --backbone efficientnet_lite0)
  cellfeat audit                       (copies and near copies, kept together from then on)
  cellfeat compare
  cellfeat fit --head {best}
  cellfeat predict --model results/cells/{best} --images OTHER_DIR"""
