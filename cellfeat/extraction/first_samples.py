"""Read a sample before a backbone is loaded, or downloaded: channels that do not fit the files are found at once."""

from cellfeat.errors import ImageError, MissingFileError
from cellfeat.extraction.request import ExtractionRequest
from cellfeat.samples.reading.images import ReadsSamples


def check_readable(request: ExtractionRequest) -> None:
    """Refuse a request whose first sample cannot be read.

    Where samples that cannot be read are quarantined, refuse it only if none can be read.

    Parameters
    ----------
    request
        What to extract.

    Raises
    ------
    ImageError
        If it is refused.
    """
    reader, n_samples = request.reader(), len(request.manifest)
    reason = _why_not_read(reader, 0)
    if reason is None:
        return
    if request.settings.extraction.on_error == "stop":
        # If other samples cannot be read either, the settings are wrong, and there is nothing to continue with.
        others_fit = any(_why_not_read(reader, row) is None for row in {n_samples // 2, n_samples - 1} - {0})
        hint = "; repair the file, or continue without the sample: --on-error quarantine" if others_fit else ""
        raise ImageError(f"sample {request.manifest.table['sample_id'].iloc[0]} (row 0): {reason}{hint}")
    if all(_why_not_read(reader, row) is not None for row in range(1, n_samples)):
        raise ImageError(
            f"none of {n_samples} samples could be read, so {request.output} was not written; the first: {reason}"
        )


def _why_not_read(reader: ReadsSamples, row: int) -> str | None:
    try:
        reader.read(row)
    except (ImageError, MissingFileError) as error:
        return str(error)
    return None
