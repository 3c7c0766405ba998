"""Count batches, handle failures and keep interrupted parts while a run extracts."""

from cellfeat.errors import ImageError
from cellfeat.extraction.context import RunContext
from cellfeat.extraction.read_ahead import Decoded
from cellfeat.extraction.store import PartStore, Rows
from cellfeat.extraction.writer import PartWriter


class RunEvents:
    """Listens to the pipeline of a run.

    Parameters
    ----------
    context
        The context of the run.
    store, writer
        Where parts are kept, and what writes them.
    n_done
        Number of samples that earlier runs have done.
    n_samples
        Number of samples of this process, with these.
    """

    def __init__(self, context: RunContext, store: PartStore, writer: PartWriter, n_done: int, n_samples: int) -> None:
        self._context = context
        self._observer = context.request.observer
        self._store = store
        self._writer = writer
        self._n_done = n_done
        self._n_samples = n_samples
        self._observer.advance(n_done, self._n_samples)

    def on_failure(self, sample: Decoded) -> None:
        """Quarantine a sample that could not be read, or end the run, as ``extraction.on_error`` says.

        Raises
        ------
        ImageError
            If it is ``stop``.
        """
        where = self._describe(sample)
        if self._context.request.settings.extraction.on_error == "stop":
            raise ImageError(
                f"{where}: {sample.reason}. Finished samples are kept: repair the file and run the same command again, "
                f"or continue without the sample: --on-error quarantine"
            )
        self._observer.say(f"quarantined: {where}: {sample.reason}")

    def _describe(self, sample: Decoded) -> str:
        table = self._context.manifest.table
        # The manifest of an update is a selection; its index has the rows of the whole manifest.
        return f"sample {table['sample_id'].iloc[sample.row]} (row {table.index[sample.row]})"

    def on_batch(self, n_samples: int) -> None:
        """Count a batch, once the part before it is written."""
        self._n_done += n_samples
        self._writer.wait()
        self._observer.advance(self._n_done, self._n_samples)

    def on_interrupt(self, rows: Rows) -> None:
        """Keep the finished batches of a part."""
        self._writer.wait()
        self._store.write_begun(rows)
        self._observer.say(f"{self._n_done} of {self._n_samples} samples are done, and kept")
