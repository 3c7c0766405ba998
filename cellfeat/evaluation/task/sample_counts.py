"""How many samples an evaluation used and left out."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Counts:
    """How many samples there are, and of which kinds.

    Attributes
    ----------
    n_samples
        Samples in use: those that could be read and have a label.
    n_groups
        Groups that they form.
    n_copies
        Samples in use that are exact duplicates of an earlier one.
    n_unlabelled, n_failed
        Samples excluded because they have no label, or could not be read.
    near_copies_joined
        Whether near copies that an audit of these samples found are kept together; None where this was not asked for,
        a table defines the groups, or there are no images.
    n_other_parts, n_left_out
        Samples excluded because they are in other parts of a split, or of a class that is left out.
    n_sharing_pixels
        Samples in use whose boxes on their field overlap with that of another one in use; None where samples are whole
        images.
    n_in_no_fold
        Samples excluded because a column of folds, or of groups to leave out, says nothing of them.
    n_only_fitted
        Further samples that heads are fitted on and that are never tested: the training part of a single split.
    """

    n_samples: int
    n_groups: int
    n_copies: int
    n_unlabelled: int
    n_failed: int
    near_copies_joined: bool | None
    n_other_parts: int = 0
    n_left_out: int = 0
    n_sharing_pixels: int | None = None
    n_in_no_fold: int = 0
    n_only_fitted: int = 0

    def record(self) -> dict[str, Any]:
        """Plain JSON values; the last five only where they apply."""
        record = asdict(self)
        if self.n_sharing_pixels is None:
            del record["n_sharing_pixels"]
        for name in ("n_other_parts", "n_left_out", "n_in_no_fold", "n_only_fitted"):
            if not record[name]:
                del record[name]
        return record
