"""What `cellfeat view` shows: results, the samples of a feature file alone, or a page that was written."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cellfeat.errors import CellfeatError, MissingFileError
from cellfeat.extraction.store import Features, load_features
from cellfeat.maps import default_method, find_map, make_map
from cellfeat.page.build import page_of_results
from cellfeat.page.content import PageContent
from cellfeat.page.files.forms import write_file
from cellfeat.page.files.writing import write_page
from cellfeat.page.files.written import is_written_page, read_written_page
from cellfeat.page.results_files import kind_of
from cellfeat.saved_results.features import features_or_images_of
from cellfeat.saved_results.files import AGAINST_FILE, AUDIT_FILES, COMPARISON_FILE, METRICS_FILE
from cellfeat.storage.url import Location

MapChoice = Literal["tsne", "pca", "none"]

_RECORDS = (COMPARISON_FILE, METRICS_FILE, AUDIT_FILES[0], AGAINST_FILE)


@dataclass(frozen=True)
class Viewed:
    """What is shown.

    Attributes
    ----------
    name
        What to call it.
    folder
        The folder of results; None without.
    features
        The samples; None where they are not at hand.
    written
        A page that was written; None for one that is made now.
    fitted
        Samples that a head was fitted on, which are shown beside held-out ones; None: they are not.
    """

    name: str
    folder: Path | None = None
    features: Features | None = None
    written: Path | None = None
    fitted: Features | None = None

    @classmethod
    def of(cls, target: Location, features: Location | None = None, fitted: Location | None = None) -> "Viewed":
        """Find out what a path or an address holds.

        Parameters
        ----------
        target
            A folder of results, a feature file, or a page that was written.
        features
            The feature file of the results, where it is not where it was.
        fitted
            Feature file that a head was fitted on.

        Raises
        ------
        MissingFileError
            If there is nothing of this kind.
        """
        if isinstance(target, Path) and target.name in _RECORDS and target.is_file():
            target = target.parent  # a record stands for its folder
        if isinstance(target, Path) and is_written_page(target):
            return cls(str(target), written=target)
        if isinstance(target, Path) and target.is_dir():
            _check_results(target)
            loaded = features_or_images_of(target) if features is None else load_features(features)
            return cls(str(target), target, loaded, fitted=None if fitted is None else load_features(fitted))
        if isinstance(target, Path) and not target.exists():
            raise MissingFileError(
                f"{target} does not exist; expected a folder of results, a feature file, or a page that was written"
            )
        return cls(str(target), features=load_features(target))

    @property
    def mapped(self) -> Features | None:
        """The samples whose map is shown: held-out samples are placed on that of the fitted ones."""
        return self.features if self.fitted is None else self.fitted

    def content(self) -> PageContent:
        """Make the page, or read the one that was written."""
        if self.written is not None:
            return read_written_page(self.written)
        return page_of_results(self.folder, self.features, fitted=self.fitted)


def _check_results(folder: Path) -> None:
    """Refuse a folder without results, and name those in it."""
    inner = newest_results(folder)
    if inner is not None and inner != folder and not _written_at(folder):
        raise MissingFileError(f"{folder}: holds no results itself; cellfeat view {inner} shows those in it")
    kind_of(folder)  # raises where it holds no results


def newest_results(folder: Path) -> Path | None:
    """Find the results that were written last: in a folder, or in the folders in it.

    A comparison comes first, since its page shows its audit, too.

    Returns
    -------
    Path or None
        None where there are no results.
    """
    if _written_at(folder) and (folder / _RECORDS[0]).is_file():
        return folder
    candidates = [folder, *(path for path in folder.glob("*") if path.is_dir())] if folder.is_dir() else []
    found = [path for path in candidates if _written_at(path)]
    return max(found, key=_written_at, default=None)


def _written_at(folder: Path) -> float:
    """When results were written into a folder; 0 where it holds none."""
    times = [(folder / name).stat().st_mtime for name in _RECORDS if (folder / name).is_file()]
    return max(times, default=0)


def make_missing_map(
    features: Features | None, choice: MapChoice, progress: Callable[[int, int], None], say: Callable[[str], None]
) -> None:
    """Make the map of samples that is not kept yet; one that cannot be made costs the map, and nothing else.

    Parameters
    ----------
    features
        The samples; None: nothing is made.
    choice
        ``tsne``: t-SNE, or principal components of very few or very many samples; ``pca``: principal components,
        unless t-SNE is kept; ``none``: nothing is made.
    progress
        Receives the steps that are done, and their number.
    say
        Receives what is being done.
    """
    if features is None or choice == "none" or not len(features):
        return
    takes_tsne = choice == "tsne" and default_method(features) == "t-SNE"
    if find_map(features, "t-SNE") or (not takes_tsne and find_map(features, "PCA")):
        return
    say(f"arranging {len(features):,} samples by {'t-SNE' if takes_tsne else 'principal components'}, once")
    try:
        make_map(features, "t-SNE" if takes_tsne else "PCA", progress=progress, say=say)
    except CellfeatError as error:
        say(f"no map: {error}")


def write_viewed(content: PageContent, output: Path) -> Path:
    """Write a page to give it away.

    Parameters
    ----------
    content
        The page.
    output
        An HTML file, which then holds everything; or a folder, which gets the form that suits the page.

    Returns
    -------
    Path
        The file to open.

    Raises
    ------
    WriteError
        If it cannot be written.
    """
    if output.suffix.lower() in (".html", ".htm"):
        write_file(content, output)
        return output
    return write_page(content, output)
