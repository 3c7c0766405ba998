"""t-SNE by openTSNE: of principal components, and of new samples among those that are there."""

from collections.abc import Callable
from typing import Any

import numpy as np

from cellfeat.types import Float32s

PERPLEXITY = 30.0
PLACED_PERPLEXITY = 5.0
EARLY, MAIN = 150, 350
"""Iterations with and without exaggerated attraction; with principal components as the start, more change little."""
EARLY_EXAGGERATION = 12.0

MOST_EXACT = 10_000
"""Samples up to which neighbours are searched for exactly; beyond, by random trees, which are much faster."""

FFT_FROM = 5_000
"""Samples from which repulsion is interpolated on a grid: its time hardly grows with them."""

THREADS_FROM = 5_000
"""Samples from which several threads are faster than one, also on a busy machine."""

_PLACED_AT_ONCE = 5_000
_TOLD_EVERY = 50
"""Iterations; both phases are multiples of it, so that the last one is told."""
_SEED = 0

Progress = Callable[[int, int], None]
"""Receives the iterations that are done, and their number."""


def embedded(components: Float32s, threads: int, progress: Progress) -> Float32s:
    """Compute t-SNE; the number of threads does not change the result.

    Parameters
    ----------
    components
        Principal components, shape ``(n_samples, n_components)``; at least ten samples.
    threads
        Number of threads.
    progress
        Receives the iterations that are done, and their number.

    Returns
    -------
    ndarray of shape (n_samples, 2)
    """
    from openTSNE import TSNEEmbedding
    from openTSNE.affinity import PerplexityBasedNN
    from openTSNE.initialization import rescale

    total = EARLY + MAIN
    threads = threads if len(components) >= THREADS_FROM else 1
    progress(0, total)
    affinities = PerplexityBasedNN(
        components,
        perplexity=min(PERPLEXITY, (len(components) - 1) / 3),
        method="exact" if len(components) <= MOST_EXACT else "annoy",
        # Each thread of the approximate search would draw trees of its own.
        n_jobs=threads if len(components) <= MOST_EXACT else 1,
        random_state=_SEED,
    )
    found = TSNEEmbedding(
        rescale(_start(components)),
        affinities,
        negative_gradient_method=_repulsion(len(components)),
        n_jobs=threads,
        random_state=_SEED,
    )
    for n_iterations, momentum, exaggeration, before in (
        (EARLY, 0.5, EARLY_EXAGGERATION, 0),
        (MAIN, 0.8, None, EARLY),
    ):
        told: Any = _Told(progress, before, total)
        found.optimize(
            n_iter=n_iterations,
            momentum=momentum,
            exaggeration=exaggeration,
            inplace=True,
            callbacks=[told],
            callbacks_every_iters=_TOLD_EVERY,
        )
    return np.asarray(found, dtype=np.float32)


def placed(new: Float32s, components: Float32s, coordinates: Float32s, threads: int) -> Float32s:
    """Place new samples among those of a t-SNE, which stay where they are.

    Parameters
    ----------
    new
        Principal components of the new samples, shape ``(n_new, n_components)``.
    components, coordinates
        Those of the samples of the map, shapes ``(n_samples, n_components)`` and ``(n_samples, 2)``.
    threads
        Number of threads.

    Returns
    -------
    ndarray of shape (n_new, 2)
    """
    from openTSNE import TSNEEmbedding

    threads = threads if len(components) >= THREADS_FROM else 1
    reference = TSNEEmbedding(
        coordinates.astype(np.float64),
        _neighbours_in(components, threads),
        negative_gradient_method=_repulsion(len(components)),
        n_jobs=threads,
        random_state=_SEED,
    )
    perplexity = min(PLACED_PERPLEXITY, (len(components) - 1) / 3)
    parts = [
        np.asarray(
            reference.transform(
                new[start : start + _PLACED_AT_ONCE], perplexity=perplexity, k=min(25, len(components))
            ),
            np.float32,
        )
        for start in range(0, len(new), _PLACED_AT_ONCE)
    ]
    return np.concatenate(parts) if parts else np.empty((0, 2), np.float32)


def _repulsion(n_samples: int) -> str:
    return "fft" if n_samples >= FFT_FROM else "bh"


def _start(components: Float32s) -> Any:
    """The first two components, shape ``(n_samples, 2)``; a single one has zeros beside it."""
    start = np.zeros((len(components), 2))
    n_columns = min(2, components.shape[1])
    start[:, :n_columns] = components[:, :n_columns]
    # Equal samples would push each other apart in no direction.
    noise = np.random.default_rng(_SEED).normal(size=start.shape)
    return start + 1e-6 * max(float(np.abs(start).max()), 1e-6) * noise


class _Told:
    """Gives the iterations of both phases to a function; openTSNE stops where a callback returns True."""

    def __init__(self, progress: Progress, before: int, total: int) -> None:
        self._progress, self._before, self._total = progress, before, total

    def __call__(self, iteration: int, *_: Any) -> None:
        self._progress(self._before + iteration, self._total)


def _neighbours_in(components: Float32s, threads: int) -> Any:
    """Affinities that answer only how new samples relate to those of the map.

    Those of the samples among each other, which take most of the time of a map, are not needed to place others.
    """
    from openTSNE.affinity import Affinities, PerplexityBasedNN, joint_probabilities_nn
    from scipy.sparse import csr_matrix
    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(algorithm="brute").fit(components)

    class Neighbours(Affinities):
        def __init__(self) -> None:
            super().__init__()
            self.P = csr_matrix((len(components), len(components)))

        @property
        def n_samples(self) -> int:
            return len(components)

        def to_new(
            self,
            data: Float32s,
            perplexity: float = PLACED_PERPLEXITY,
            return_distances: bool = False,
            k_neighbors: Any = "auto",
        ) -> Any:
            wanted = int(3 * perplexity) if k_neighbors == "auto" else int(k_neighbors)
            distances, neighbours = index.kneighbors(data, min(len(components), max(1, wanted)))
            effective = PerplexityBasedNN.check_perplexity(perplexity, neighbours.shape[1])
            affinities = joint_probabilities_nn(
                neighbours,
                distances.astype(np.float64),
                [effective],
                symmetrize=False,
                normalization="point-wise",
                n_reference_samples=len(components),
                n_jobs=threads,
            )
            return (affinities, neighbours, distances) if return_distances else affinities

    return Neighbours()
