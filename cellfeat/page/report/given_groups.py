"""The groups that somebody gave: those by which heads were evaluated, and not the copies that an audit found."""

from dataclasses import dataclass

from cellfeat.evaluation.groups.sample_groups import GROUP_WORDS, PLUS
from cellfeat.extraction.store import Samples
from cellfeat.page.report.recorded import counts_of, design_of
from cellfeat.page.results_files import ResultsFiles
from cellfeat.text import clean_text
from cellfeat.types import Strings


@dataclass(frozen=True)
class GivenGroups:
    """Groups of samples.

    Parameters
    ----------
    group
        Group of each sample, shape ``(n_samples,)``; ``""`` where none is known here.
    elsewhere
        Where groups came from that are not in the feature file, such as a table; ``""`` where they are.
    """

    group: Strings
    elsewhere: str = ""

    @property
    def is_known(self) -> bool:
        """Whether any sample has a group."""
        return bool(self.elsewhere) or bool((self.group != "").any())


def given_groups(found: ResultsFiles, samples: Samples) -> GivenGroups:
    """Find the groups by which heads were evaluated; without heads, those of the feature file.

    Parameters
    ----------
    found
        The results.
    samples
        The samples.
    """
    design = design_of(found.heads[0]).groups if found.heads else "auto"
    named = [part for part in design.split(PLUS) if part not in GROUP_WORDS]
    if not named:
        return GivenGroups(samples.groups)
    if len(named) == 1 and named[0] in samples.columns:
        return GivenGroups(samples.columns[named[0]])
    n_groups = counts_of(found.heads[0]).n_groups
    return GivenGroups(samples.groups, clean_text(f"{n_groups:,}, by {' and '.join(named)}"))
