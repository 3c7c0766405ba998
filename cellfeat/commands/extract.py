"""``cellfeat extract``."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cellfeat.commands.options.completion import complete_backbone
from cellfeat.commands.options.engines import LOCAL, EngineOptions, engine_options
from cellfeat.commands.options.settings import resolve_settings
from cellfeat.commands.options.shared import config_options, labels_flag, weights_option
from cellfeat.commands.options.value_types import PATH_OR_URL
from cellfeat.commands.output.lines import say, show
from cellfeat.commands.output.next_steps import say_next
from cellfeat.commands.steps.slurm_engine import run_on_slurm
from cellfeat.errors import ConfigError

if TYPE_CHECKING:
    from cellfeat.config import Settings
    from cellfeat.extraction.observer import Observer
    from cellfeat.storage.url import Location


@click.command("extract")
@config_options
@click.option("--images", type=click.Path(), help="Folder of images, or its address: s3://lab/images.")
@click.option(
    "--labels", metavar="CSV|none", help="Table of labels, also by its address; none: extract without labels."
)
@click.option(
    "--backbone",
    metavar="NAME",
    shell_complete=complete_backbone,
    help="Name of the backbone; see: cellfeat list backbones. Several side by side: A+B, with sizes: A@96+B@160.",
)
@weights_option("Name of a weights record, or a checkpoint file.")
@click.option("--device", metavar="auto|cpu|cuda|mps", help="Where the backbone runs.")
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16", "fp16", "int8"]),
    help="auto: the fastest that is close enough to float32 on these images.",
)
@click.option(
    "--views",
    type=click.Choice(["1", "4", "8"]),
    help="Rotations (4), or rotations and reflections (8), of each sample.",
)
@click.option("--batch-size", metavar="N|auto", help="Samples per batch.")
@click.option("--workers", metavar="N|auto", help="Processes that read images; 0: read them in this process.")
@click.option(
    "--image-timeout", type=float, metavar="SECONDS", help="Longest time that a process may take to read a sample."
)
@click.option("--output", type=PATH_OR_URL, help="Feature file to write, or its address: s3://lab/cells.h5.")
@click.option("--on-error", type=click.Choice(["stop", "quarantine"]), help="What to do when an image cannot be read.")
@click.option(
    "--thumbnails/--no-thumbnails",
    default=None,
    help="Make thumbnails for cellfeat view while images are read; up to 100,000 samples, on a local disk.",
)
@click.option("--update", is_flag=True, help="Update a finished file: extract only samples that are new or changed.")
@click.option("--plan", "makes_plan", is_flag=True, help="Many processes: make the plan only.")
@click.option(
    "--share",
    metavar="I/N|auto|auto/N",
    help="Many processes: make share I of N, the first of which is 0/N. auto: as Slurm, Kubernetes, AWS Batch or "
    "torchrun says in the environment; auto/N where it does not say how many there are.",
)
@click.option("--consolidate", "joins", is_flag=True, help="Many processes: join all parts into the feature file.")
@click.option(
    "--bits",
    type=click.Choice(["exact", "close"]),
    help="Many processes: whether all must compute the same bits, or numbers within the tolerance.",
)
@engine_options
@click.option("--profile", is_flag=True, default=None, help="Print a table of the time that each step took.")
@click.option("--trace", type=click.Path(path_type=Path), help="Write a Chrome trace of the steps.")
def command(
    config: Path | None,
    assignments: tuple[str, ...],
    *,
    update: bool,
    makes_plan: bool,
    share: str | None,
    joins: bool,
    **flags: Any,
) -> None:
    """Embed every image once, and write the feature file.

    After an interruption, the same command continues where it stopped. On a finished file it does nothing. If samples
    or their pixels have changed since, --update reads all images and extracts only those that differ.

    Many processes, also of many machines, can make one file, with the bytes that one process gives: start each with the
    same settings and --share 0/N to N-1/N, and then one with --consolidate. --engine ray does all of this on a Ray
    cluster, or on all GPUs of this machine.
    """
    from cellfeat.commands.output.console import ConsoleObserver

    engine = EngineOptions.taken_from(flags)
    steps = {"--update": update, "--plan": makes_plan, "--share": share, "--consolidate": joins}
    step = _chosen_step({**steps, f"--engine {engine.engine}": engine.engine != LOCAL})
    settings = resolve_settings(config, assignments, extraction_flags(**flags))
    if engine.engine == "slurm":
        run_on_slurm(settings, engine)
        return
    with ConsoleObserver() as observer:
        result = _ray(settings, observer, engine) if engine.engine == "ray" else _STEPS[step](settings, observer, share)
    show(str(result))
    if step == "" and engine.engine == LOCAL and has_unchosen_recipe(settings):
        say(
            "note: the recipe was not chosen for these images; cellfeat recommend tries others on a part of them, and "
            "says what they would gain"
        )
    if step in _WHOLE:
        say_next("audit", config=config, features=flags["output"])


def has_unchosen_recipe(settings: "Settings") -> bool:
    """Whether layer, size, crop, channels and views are the defaults, and there are labels to choose them by."""
    from cellfeat.config import Settings

    default, images = Settings(), settings.images
    is_default = (
        settings.backbone.pool == default.backbone.pool
        and settings.preprocessing == default.preprocessing
        and settings.extraction.views == default.extraction.views
    )
    names_label = images.layout in ("folders", "split_folders") or "{label}" in (images.pattern or "")
    return is_default and (settings.labels.file is not None or names_label)


def _chosen_step(options: dict[str, str | bool | None]) -> str:
    """Find the only step that is asked for; without any, the whole extraction."""
    # An empty --share is of a variable that is not set, and must not begin the whole extraction.
    chosen = [name for name, value in options.items() if value not in (None, False)]
    if len(chosen) > 1:
        raise ConfigError(f"{' and '.join(chosen)}: expected one of them in a command")
    return chosen[0] if chosen else ""


def _extract(settings: "Settings", observer: "Observer", _: str | None) -> "Location":
    from cellfeat.extraction.extract import extract

    return extract(settings, observer=observer).path


def _update(settings: "Settings", observer: "Observer", _: str | None) -> "Location":
    from cellfeat.extraction.extract import extract

    return extract(settings, observer=observer, update=True).path


def _plan(settings: "Settings", observer: "Observer", _: str | None) -> str:
    from cellfeat.extraction.shares.planning import plan_extraction

    header = plan_extraction(settings, observer=observer)
    if header is None:
        return f"{settings.extraction.output} is finished already"
    n_parts = len(header.part_rows())
    return f"{n_parts:,} parts of {header.part_size:,} samples, to be made by at most {n_parts:,} shares"


def _share(settings: "Settings", observer: "Observer", share: str | None) -> str:
    from cellfeat.extraction.shares.environment import choose_share

    chosen = choose_share(share or "", os.environ)
    # Imported here because they need torch, and a share that does not exist is told without.
    from cellfeat.extraction.shares.local_gpu import on_local_gpu
    from cellfeat.extraction.shares.worker import extract_share

    result = extract_share(on_local_gpu(settings, os.environ), chosen, observer=observer)
    return f"{settings.extraction.output} is finished already" if result is None else str(result)


def _consolidate(settings: "Settings", observer: "Observer", _: str | None) -> "Location":
    from cellfeat.extraction.shares.consolidation import consolidate

    return consolidate(settings, observer=observer).path


def _ray(settings: "Settings", observer: "Observer", engine: EngineOptions) -> "Location":
    from cellfeat.extraction.shares.ray.engine import RayOptions, extract_on_ray

    options = RayOptions(engine.address, engine.engine_workers, engine.gpus_per_worker)
    return extract_on_ray(settings, options, observer=observer).path


_WHOLE = ("", "--update", "--consolidate")
"""Steps after which the feature file is there."""
_STEPS = {"": _extract, "--update": _update, "--plan": _plan, "--share": _share, "--consolidate": _consolidate}


def extraction_flags(images: str | None, labels: str | None, **flags: Any) -> dict[str, Any]:
    """Map the flags of ``extract`` to their dotted keys.

    Parameters
    ----------
    images, labels
        Values of ``--images`` and ``--labels``; None: not given.
    **flags
        Values of the other flags, by name.
    """
    homes = {"backbone": "backbone.name", "weights": "backbone.weights"}
    by_key = {homes.get(name, f"extraction.{name}"): value for name, value in flags.items()}
    views = by_key.pop("extraction.views")
    return {
        **by_key,
        **labels_flag(labels),
        "images.root": images,
        "extraction.views": int(views) if views else None,
    }
