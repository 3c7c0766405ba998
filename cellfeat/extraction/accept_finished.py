"""Accept a finished feature file that already holds what a request asks for."""

import numpy as np

from cellfeat.errors import FingerprintError
from cellfeat.extraction.request import Extraction, ExtractionRequest
from cellfeat.extraction.store import Summary, read_pixel_digests, read_table, remove_parts, replace_table
from cellfeat.extraction.survey import changed_rows, decoder_of
from cellfeat.provenance import utc_now
from cellfeat.text import first_ten


def accept_finished(request: ExtractionRequest, finished: Summary) -> Extraction:
    """Check that the images of a finished file are unchanged, and use the file as the result of a request.

    Parameters
    ----------
    request
        What is asked for; its labels, groups and columns replace those of the file if they differ.
    finished
        The file.

    Raises
    ------
    FingerprintError
        If an image has changed since it was extracted.
    """
    _check_images(request, finished)
    return use_finished(request, finished)


def use_finished(request: ExtractionRequest, finished: Summary) -> Extraction:
    """Use a finished file, whose images were checked, as the result of a request.

    The parts of an update that was interrupted are removed.

    Parameters
    ----------
    request, finished
        As for `accept_finished`.
    """
    remove_parts(finished.path)
    request.observer.say(
        f"{finished.path} is finished already: {finished.n_samples} samples, {finished.n_failed} failed, same settings "
        f"and pixels; nothing to extract"
    )
    _replace_table_if_changed(request, finished)
    return Extraction(finished.path, finished.n_samples, finished.n_failed, 0, 0.0)


def _check_images(request: ExtractionRequest, finished: Summary) -> None:
    decoder = decoder_of(finished, request.reader())
    changed = changed_rows(decoder, range(finished.n_samples), read_pixel_digests(finished.path).tolist())
    if changed:
        ids = np.asarray(request.manifest.table["sample_id"])[changed]
        raise FingerprintError(
            f"{finished.path}: {len(changed)} of its {finished.n_samples} samples have other pixels in "
            f"{request.settings.images.root} than when they were extracted: {first_ten(ids)}. The file is unchanged: "
            f"extract only these with --update, or extract everything into another --output"
        )


def _replace_table_if_changed(request: ExtractionRequest, finished: Summary) -> None:
    table = request.sample_table()
    if table == read_table(finished.path):
        return
    # The settings on record name the labels table, so they are replaced with it.
    provenance = {**finished.provenance, "settings": request.settings.record(), "relabelled": utc_now()}
    replace_table(finished.path, table, provenance)
    request.observer.say("labels, groups and columns were replaced by those given now; embeddings unchanged")
