"""The page inside a notebook: one frame that holds everything and asks for nothing."""

import html
from pathlib import Path

import numpy as np

from cellfeat.errors import ConfigError, ManifestError
from cellfeat.evaluation.results.comparison import Comparison
from cellfeat.evaluation.results.head_results import HeadResult
from cellfeat.evaluation.saved_heads.held_out import HeldOut
from cellfeat.extraction.store import Features, as_features
from cellfeat.html_text import html_block
from cellfeat.page.build import Subject, page_of, page_of_results
from cellfeat.page.content import PageContent
from cellfeat.page.files.forms import one_file
from cellfeat.page.files.writing import fits_one_file, write_page
from cellfeat.page.results_files import Kind, ResultsFiles
from cellfeat.reporting.files import comparison_record
from cellfeat.saved_results.predictions import Results, results_of
from cellfeat.storage.url import Location

HEIGHT = 720
LEAST_HEIGHT = 100

# Scripts run, and files can be saved and the page printed; the frame has no access to the notebook around it.
_SANDBOX = "allow-scripts allow-downloads allow-modals"


class ShownPage:
    """A page that a notebook shows inline.

    Parameters
    ----------
    content
        The page.
    height
        Height of the frame in pixels.
    """

    def __init__(self, content: PageContent, height: int = HEIGHT) -> None:
        self.content, self.height = content, height

    def save(self, folder: Path | str) -> Path:
        """Write the page into a folder, and give the file to open: see `cellfeat.page.files.writing.write_page`."""
        return write_page(self.content, Path(folder))

    def __repr__(self) -> str:
        return f"<page of {self.content.page['nSamples']:,} samples: {self.content.page['title']}>"

    def _repr_html_(self) -> str:
        if not fits_one_file(self.content):
            return html_block([
                f"{self.content.page['nSamples']:,} samples, or their pictures, are too many for a page in a notebook",
                "write it to a folder and open it there, page.save(FOLDER), or run cellfeat view in a terminal",
            ])  # fmt: skip
        page = html.escape(one_file(self.content), quote=True)
        return (
            f'<iframe title="cellfeat" sandbox="{_SANDBOX}" srcdoc="{page}" width="100%" height="{self.height}" '
            'style="border: 1px solid #8888"></iframe>'
        )


def show_page(
    results: Comparison | HeadResult | HeldOut | Features | Path | str,
    features: Features | Location | str | None = None,
    *,
    height: int = HEIGHT,
) -> ShownPage:
    """Show the samples behind results inside a notebook.

    Parameters
    ----------
    results
        A comparison, the result of one head, held-out scores, the folder of any of them or of an audit, or features
        alone.
    features
        The samples, or their feature file. Results in memory need it; a folder names its own.
    height
        Height in pixels.

    Returns
    -------
    ShownPage
        A notebook shows it inline where the page is small enough for one file; `save` writes it to a folder.

    Raises
    ------
    ConfigError
        If results in memory come without features, or the height is too small.
    MissingFileError, RecordError, ManifestError, FingerprintError
        As `cellfeat.page.build.page_of_results`.

    Examples
    --------
    >>> cellfeat.show_page(comparison, features)  # doctest: +SKIP
    """
    if not isinstance(height, int) or height < LEAST_HEIGHT:
        raise ConfigError(f"height: expected a whole number of pixels, {LEAST_HEIGHT} or more, got {height!r}")
    return ShownPage(_content(results, features), height)


def _content(
    results: Comparison | HeadResult | HeldOut | Features | Path | str, features: Features | Location | str | None
) -> PageContent:
    if isinstance(results, Features):
        return page_of_results(None, results)
    if isinstance(results, Path | str):
        path = Path(results)
        return page_of_results(None, path) if path.is_file() else page_of_results(path, features)
    if not isinstance(results, Comparison | HeadResult | HeldOut):
        kind = type(results).__name__
        raise ConfigError(f"expected a comparison, the result of a head, features, or a folder of results, got {kind}")
    if features is None:
        raise ConfigError("results in memory hold no samples: give their features, too: show_page(results, features)")
    return _of_memory(results, as_features(features))


def _of_memory(results: Comparison | HeadResult | HeldOut, features: Features) -> PageContent:
    if isinstance(results, Comparison):
        name, record, table = "the comparison", comparison_record(results), results.predictions()
        differences = results.differences
    else:
        name, record, table = f"the head {results.head!r}", results.record(), results.predictions
        differences = ()
    kinds: dict[type, Kind] = {Comparison: "comparison", HeldOut: "held-out"}
    found = results_of(Results(name, table, record), features)
    n_unknown = int((~np.isin(table["sample_id"].to_numpy(np.str_), features.samples.ids)).sum())
    if n_unknown:
        raise ManifestError(f"{name}: {n_unknown:,} predictions are of samples that {features.path} does not hold")
    return page_of(ResultsFiles(kinds.get(type(results), "head"), record, differences, found), Subject.of(features))
