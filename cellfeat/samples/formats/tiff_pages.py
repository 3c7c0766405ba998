"""Check that a TIFF holds all pages and pixel data that it speaks of; tifffile fills gaps with zeros, or skips them."""

import math
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from mmap import ACCESS_READ, mmap
from pathlib import Path

import tifffile

from cellfeat.errors import ImageError
from cellfeat.samples.formats.decoded_image import truncated

_PIXELS_MISSING = "pixel data are missing"

# A page that has no tags of its own is a frame: it shares those of the keyframe.
Page = tifffile.TiffPage | tifffile.TiffFrame


@contextmanager
def open_tiff(path: Path) -> Iterator[tifffile.TiffFile]:
    """Open a TIFF to read what it says of its images, once its pages have been followed to their end.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    ImageError
        If pages are missing or lead in a circle.
    """
    with tifffile.TiffFile(path, _multifile=False) as file:
        with path.open("rb") as raw, mmap(raw.fileno(), 0, access=ACCESS_READ) as content:
            check_links(content, file.tiff)
        yield file


def check_links(content: bytes | mmap, kind: tifffile.TiffFormat) -> None:
    """Follow the pages to their end: tifffile skips lost ones, and never leaves a circle.

    Parameters
    ----------
    content
        All bytes of the file.
    kind
        Its byte order, and TIFF or BigTIFF.
    """
    seen: set[int] = set()
    is_torn = False
    # Where the header keeps the offset of the first page: after 4 bytes in a TIFF, after 8 in a BigTIFF.
    link = 4 if kind.offsetsize == 4 else 8
    while offset := _unpacked(kind.offsetformat, content, link):
        if offset in seen:
            raise ImageError(truncated("TIFF", "its pages lead in a circle"))
        seen.add(offset)
        n_tags = _unpacked(kind.tagnoformat, content, offset)
        # A page has tags: no number of them is what a torn file has there, whose end is zeros.
        is_torn = is_torn or n_tags == 0
        link = offset + kind.tagnosize + n_tags * kind.tagsize
    if is_torn:
        raise ImageError(truncated("TIFF", "later pages are missing"))


def _unpacked(number: str, content: bytes | mmap, position: int) -> int:
    try:
        return int(struct.unpack_from(number, content, position)[0])
    except struct.error:
        raise ImageError(truncated("TIFF", "later pages are missing")) from None


def whole_pages(file: tifffile.TiffFile, series: tifffile.TiffPageSeries, n_bytes: int) -> list[Page]:
    """Check that all planes and their data are there, and mend byte counts that other readers forgive.

    Parameters
    ----------
    file, series
        The open file and its image.
    n_bytes
        Bytes in the file.

    Returns
    -------
    list of Page
        The pages of the image. Their byte counts are those of the data.

    Raises
    ------
    ImageError
        If planes or data are missing.
    """
    pages = [page for page in series.pages if page is not None]
    if series.is_multifile or (len(pages) < len(series.pages) and "FileName=" in (file.ome_metadata or "")):
        raise ImageError("is one part of an image in several files; save all channels in one file, or one in each")
    _check_planes(file, series, has_pages=len(pages) == len(series.pages))
    # Data of all pages in one piece are read without their byte counts.
    if series.dataoffset is not None and series.dataoffset + series.nbytes > n_bytes:
        raise ImageError(truncated("TIFF", _PIXELS_MISSING))
    starts = sorted({start for page in pages for start in (*page.dataoffsets, page.offset)} | {n_bytes})
    for page in pages:
        page.databytecounts = _byte_counts(page, series.keyframe, starts)
    return pages


def _check_planes(file: tifffile.TiffFile, series: tifffile.TiffPageSeries, *, has_pages: bool) -> None:
    """Compare the planes with those that ImageJ, OME or tifffile noted in the file."""
    page = series.keyframe
    n_values = max(1, math.prod((page.imagelength, page.imagewidth, page.imagedepth, _samples(page))))
    n_planes = _values_held(series) // n_values
    expected = max(_imagej_planes(file, page), _shaped_values(series) // n_values)
    if n_planes < expected or not has_pages:
        noted = f", and its description speaks of {expected}" if expected else ""
        raise ImageError(truncated("TIFF", f"planes are missing: it holds {n_planes}{noted}"))


def _values_held(series: tifffile.TiffPageSeries) -> int:
    """The number of values in the pages; the shape of a series may speak of more, unless its data are in one piece."""
    values = math.prod(series.shape)
    return (
        values if series.dataoffset is not None else min(values, len(series.pages) * math.prod(series.keyframe.shape))
    )


def _imagej_planes(file: tifffile.TiffFile, page: tifffile.TiffPage) -> int:
    note = file.imagej_metadata
    if not note:
        return 0
    channels, slices, frames, images = (int(note.get(key, 1)) for key in ("channels", "slices", "frames", "images"))
    # ImageJ counts an RGB page as one image; Bio-Formats counts its samples as channels, and may count them as images.
    samples = _samples(page) if channels % _samples(page) == 0 else 1
    return max(images // samples, channels // samples * slices * frames)


def _shaped_values(series: tifffile.TiffPageSeries) -> int:
    """The number of values that tifffile noted; 0 where it noted none, or those of another image, cut out of since."""
    page = series.keyframe
    if series.kind != "shaped" or page.shaped_description is None:
        return 0
    shape = tuple(tifffile.tifffile.shaped_description_metadata(page.shaped_description)["shape"])
    return math.prod(shape) if shape[-len(page.shape) :] == page.shape else 0


def _samples(page: tifffile.TiffPage) -> int:
    """Samples that are stored side by side."""
    return int(page.samplesperpixel) if page.planarconfig == tifffile.PLANARCONFIG.CONTIG else 1


def _byte_counts(page: Page, keyframe: tifffile.TiffPage, starts: Sequence[int]) -> tuple[int, ...]:
    """Bytes of each strip or tile, all of which are in the file.

    Parameters
    ----------
    page, keyframe
        The page, and the one that it shares its tags with.
    starts
        Where pages, strips and tiles begin, in order, and at last the end of the file.
    """
    if keyframe.compression == tifffile.COMPRESSION.NONE and not keyframe.parent.is_lsm:
        counts = _raw_byte_counts(page, keyframe)
    else:
        counts = _encoded_byte_counts(page, keyframe, starts)
    ends = [start + count for start, count in zip(page.dataoffsets, counts, strict=False)]
    if not counts or len(ends) < len(counts) or not all(counts) or not all(page.dataoffsets) or max(ends) > starts[-1]:
        raise ImageError(truncated("TIFF", _PIXELS_MISSING))
    return counts


def _encoded_byte_counts(page: Page, keyframe: tifffile.TiffPage, starts: Sequence[int]) -> tuple[int, ...]:
    """The byte counts as noted; without one, up to whatever follows: the decoder finds the end of the data itself."""
    has_counts = "StripByteCounts" in keyframe.tags or "TileByteCounts" in keyframe.tags
    noted = page.databytecounts if has_counts else (0,) * len(page.dataoffsets)
    following = [min((start for start in starts if start > offset), default=offset) for offset in page.dataoffsets]
    if len(noted) < len(following):
        return ()
    return tuple(count or end - offset for offset, count, end in zip(page.dataoffsets, noted, following, strict=False))


def _raw_byte_counts(page: Page, keyframe: tifffile.TiffPage) -> tuple[int, ...]:
    """The bytes that uncompressed strips or tiles need; a count that says otherwise is wrong.

    Some writers leave the count out, or write 0, or that of a full strip for a last strip that is shorter. Only a count
    that is too small, for one strip of several, means that data are missing.
    """
    counts = tuple(rows * _row_bytes(keyframe) for rows in _segment_rows(keyframe, len(page.dataoffsets)))
    noted = page.databytecounts
    is_short = any(0 < count < needed for count, needed in zip(noted, counts, strict=False))
    if len(counts) > 1 and len(noted) == len(counts) and is_short:
        raise ImageError(truncated("TIFF", _PIXELS_MISSING))
    return counts


def _row_bytes(page: tifffile.TiffPage) -> int:
    width = page.tilewidth if page.is_tiled else page.imagewidth
    bits = sum(page.bitspersample) if isinstance(page.bitspersample, tuple) else page.bitspersample * _samples(page)
    return math.ceil(width * bits / 8)


def _segment_rows(page: tifffile.TiffPage, n_segments: int) -> list[int]:
    """Rows of each strip or tile; the tiles at the lower edge are as high as the others, the last strip may not be."""
    rows = page.tilelength if page.is_tiled else min(page.rowsperstrip or page.imagelength, page.imagelength)
    across = math.ceil(page.imagewidth / page.tilewidth) if page.is_tiled else 1
    layers = math.ceil(page.imagedepth / page.tiledepth) if page.is_tiled else page.imagedepth
    n_planes = page.samplesperpixel if page.planarconfig == tifffile.PLANARCONFIG.SEPARATE else 1
    n_expected = n_planes * layers * across * math.ceil(page.imagelength / rows)
    # A header may claim any size: make no list of more strips or tiles than the file names.
    if n_segments < n_expected:
        raise ImageError(truncated("TIFF", _PIXELS_MISSING))
    if page.is_tiled:
        return [rows * page.tiledepth] * n_expected
    of_plane = [min(rows, page.imagelength - top) for top in range(0, page.imagelength, rows)]
    return of_plane * (layers * n_planes)
