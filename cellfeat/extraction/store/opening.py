"""Whatever is no feature file, or would make HDF5 read elsewhere, is refused before a number is read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from cellfeat.errors import FeatureFileError, MissingFileError
from cellfeat.extraction.store.format import DIGEST_BYTES, FORMAT, parts_folder
from cellfeat.extraction.store.heaps import has_endless_heap
from cellfeat.extraction.store.texts import refuse_long_texts


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Open a feature file to be read; whatever HDF5 stumbles over in the block becomes a `FeatureFileError`.

    Raises
    ------
    MissingFileError, FeatureFileError
        If there is no such file, or it is not a feature file of this format.
    """
    if not path.exists():
        unfinished = parts_folder(path)
        hint = f"; {unfinished} holds an unfinished run: start the same extract again" if unfinished.exists() else ""
        raise MissingFileError(f"the feature file {path} does not exist{hint or '; make it with: cellfeat extract'}")
    if not path.is_file():  # a pipe would be waited for without end
        raise FeatureFileError(f"{path}: is no file; expected a feature file")
    try:
        if has_endless_heap(path):
            raise FeatureFileError(
                f"{path}: a part of it was overwritten or never written; take it from a copy, or delete it and extract "
                f"again"
            )
        with h5py.File(path, "r") as file:
            _refuse_foreign(path, file)
            yield file
    except FeatureFileError:
        raise
    except MemoryError as error:
        raise FeatureFileError(
            f"{path}: does not fit into memory ({error}), or is damaged; read it where there is more, take it from a "
            f"copy, or delete it and extract again"
        ) from error
    except (OSError, ValueError, LookupError, ArithmeticError, RuntimeError, TypeError, AttributeError) as error:
        raise FeatureFileError(
            f"{path}: damaged, or not an HDF5 file ({error}); take it from a copy, or delete it and extract again"
        ) from error


def _refuse_foreign(path: Path, file: h5py.File) -> None:
    found = file.attrs.get("format")
    if not isinstance(found, np.integer):
        raise FeatureFileError(f"{path}: not a feature file of cellfeat (it has no attribute 'format')")
    if found != FORMAT:
        raise FeatureFileError(
            f"{path}: feature file format {found}, expected {FORMAT}; it was written by another version of cellfeat: "
            f"install that version, or extract again"
        )
    for name in ("sample_id", "embeddings", "status", "pixel_digest", "failures", "checksums"):
        _plain_dataset(path, file, name)
    for name in ("manifest", "manifest/columns"):
        _plain_group(path, file, name)
    for name in ("label", "group"):
        _plain_dataset(path, file, f"manifest/{name}")
    for name in file["manifest/columns"]:
        _plain_dataset(path, file, f"manifest/columns/{name}")
    _refuse_wrong_shapes(path, file)


def _plain_group(path: Path, file: h5py.File, name: str) -> None:
    """Refuse a group that is none, or a link; the groups above it are plain ones."""
    if not isinstance(file.get(name, getlink=True), h5py.HardLink) or not isinstance(file[name], h5py.Group):
        raise FeatureFileError(f"{path}: group {name!r} is missing or a link to elsewhere")


def _plain_dataset(path: Path, file: h5py.File, name: str) -> None:
    """Refuse whatever would make HDF5 read another file: links, external storage, virtual datasets; and filters.

    Also a shape that claims more than is stored: a few bytes can claim terabytes, and reading those ends the process.
    """
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise FeatureFileError(f"{path}: dataset {name!r} is missing or a link to elsewhere")
    dataset = file[name]
    if not isinstance(dataset, h5py.Dataset):
        raise FeatureFileError(f"{path}: {name!r} is not a dataset")
    if dataset.is_virtual or dataset.external or dataset.id.get_create_plist().get_nfilters():
        raise FeatureFileError(f"{path}: dataset {name!r} takes its data from elsewhere or through a filter: refused")
    if dataset.id.get_storage_size() < (dataset.size or 0) * dataset.id.get_type().get_size():
        raise FeatureFileError(f"{path}: dataset {name!r} holds less than its shape {dataset.shape} claims; damaged")
    refuse_long_texts(path, dataset)


def _refuse_wrong_shapes(path: Path, file: h5py.File) -> None:
    n_samples = file["sample_id"].shape[0]
    if n_samples == 0:
        raise FeatureFileError(f"{path}: holds no samples; delete it and extract again")
    expected = {"status": (n_samples,), "pixel_digest": (n_samples, DIGEST_BYTES), "manifest/label": (n_samples,)}
    expected |= {"manifest/group": (n_samples,)}
    expected |= {f"manifest/columns/{name}": (n_samples,) for name in file["manifest/columns"]}
    for name, shape in expected.items():
        if file[name].shape != shape:
            raise FeatureFileError(f"{path}: dataset {name!r} has shape {file[name].shape}, expected {shape}")
    embeddings = file["embeddings"]
    if embeddings.ndim != 3 or embeddings.shape[0] != n_samples or embeddings.dtype != np.float32:
        raise FeatureFileError(
            f"{path}: embeddings are {embeddings.dtype} of shape {embeddings.shape}, "
            f"expected float32 of shape ({n_samples}, n_views, embedding_dim)"
        )
