"""Few coordinates for many columns: principal components, and t-SNE for pictures."""

import numpy as np

from cellfeat.heads.preprocessing.transforms import FeatureTransform
from cellfeat.heads.rows import row_blocks
from cellfeat.interop.exports.contents import Contents
from cellfeat.types import Float32s

N_COMPONENTS = 50
_FEWEST_FOR_TSNE = 5


def principal_components(contents: Contents, n_components: int = N_COMPONENTS) -> Float32s:
    """Project the mean over views on the first principal components of its standardised columns.

    The columns are standardised as most heads do, because those of several layers have very different scales.

    Parameters
    ----------
    contents
        What is exported.
    n_components
        Number of components, fewer if there are fewer columns or samples.

    Returns
    -------
    ndarray of shape (n_samples, n_components)
    """
    X = _filled(contents.mean_over_views())
    pca = FeatureTransform.fitted("pca", X, n_components)
    return np.concatenate([pca(X[rows]).astype(np.float32) for rows in row_blocks(X)])


def _filled(X: Float32s) -> Float32s:
    """Replace missing numbers, which imported tables may hold, by the mean of their column."""
    is_known = np.isfinite(X)
    if is_known.all():
        return X
    sums = X.sum(axis=0, dtype=np.float64, where=is_known)
    # At least 1: a column without any number has no mean.
    means = sums / np.maximum(np.count_nonzero(is_known, axis=0), 1)
    return np.where(is_known, X, means.astype(np.float32))


def tsne_of(contents: Contents) -> Float32s:
    """Compute t-SNE of the principal components, shape ``(n_samples, 2)``; distances between clusters mean nothing."""
    from sklearn.manifold import TSNE

    components = principal_components(contents)
    if len(components) < _FEWEST_FOR_TSNE:
        return np.zeros((len(components), 2), dtype=np.float32)
    perplexity = min(30.0, (len(components) - 1) / 3)
    return np.asarray(TSNE(perplexity=perplexity, random_state=0).fit_transform(components), dtype=np.float32)
