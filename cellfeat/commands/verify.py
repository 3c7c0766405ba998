"""``cellfeat verify``."""

from pathlib import Path

import click


@click.command("verify")
@click.argument("file", type=click.Path(path_type=Path))
def command(file: Path) -> None:
    """Verify every checksum of a feature file."""
    from cellfeat.extraction.store import verify_features

    summary = verify_features(file)
    click.echo(f"{file}: whole; {summary.n_samples} samples, {summary.n_failed} failed, {summary.fingerprint}")
