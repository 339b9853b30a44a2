"""Laplace's approximation on the projections of a trained model, after training."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.func import jacrev, vmap

from ...losses import pairwise_logits
from ..image_text import ImageTextModel

_MOST = 256  # rows whose curvature is averaged, and columns that they are compared with
_PRECISIONS = torch.logspace(-6, 6, 121, dtype=torch.float64)


class LastLayer(NamedTuple):
    r"""A normal law of the weights W (d, D) of a projection about those that were trained.

    Its precision is :math:`n\,A \otimes B + \lambda I`, kept by the eigenvectors of both factors.
    """

    inputs: Tensor
    """(D, D), the eigenvectors of A as columns."""
    outputs: Tensor
    """(d, d), those of B."""
    variances: Tensor
    """(D, d), one over each eigenvalue of the precision."""
    precision: float
    """The prior's, lambda."""

    def covariance_root(self, features: Tensor) -> Tensor:
        """R (N, d, d) of features (N, D), with :math:`R R^\\top` the covariance of W features."""
        along = (features.double() @ self.inputs).square() @ self.variances
        return self.outputs * along.sqrt()[:, None, :]


@torch.no_grad()
def fit_last_layer(
    model: ImageTextModel,
    modality: str,
    features: Tensor,
    others: Tensor,
    *,
    seed: int = 0,
) -> LastLayer:
    r"""The law of one projection, from the curvature of the contrastive loss at what was trained.

    As Baumann et al. do for CLIP (2024, arXiv 2412.06014, "BayesVLM"): each row is taken for a
    choice among the points of the other modality, whose Gauss-Newton matrix by the projected
    features z is :math:`J^\top(\mathrm{diag}\,p - p p^\top)J`, p the softmax of the logits and J
    their derivative by z; with :math:`A = \overline{\phi\phi^\top}` of the features and B the mean
    of these matrices the curvature by W is n times :math:`A \otimes B` (Ritter et al. 2018). Here
    the prior's :math:`\lambda` is added to the eigenvalues of the product and not to those of each
    factor, and is the one of largest evidence on a grid,

    .. math:: -\tfrac\lambda2\|W\|^2 + \tfrac{dD}2\log\lambda
              - \tfrac12\sum_{ij}\log(n\,a_i b_j + \lambda).

    n is the number of rows (their pseudo-count is 1).

    Args:
        model: trained.
        modality: "image" or "text", whose projection it is.
        features: (n, D), what the projection was trained on: the encoder's outputs.
        others: (n, m), the points of the other modality, row by row the partners.
        seed: which 256 rows B is the mean of, each against the same 256 others.

    Raises:
        ValueError: shapes that do not fit, or fewer than two rows.
    """
    weight = _projection(model, modality)
    if features.shape[:1] != others.shape[:1] or features.ndim != 2 or len(features) < 2:
        raise ValueError(
            f"fit_last_layer: features have shape {tuple(features.shape)} and others "
            f"{tuple(others.shape)}; expected (n, D) and (n, m) with n > 1."
        )
    generator = torch.Generator().manual_seed(seed)
    some = torch.randperm(len(features), generator=generator)[:_MOST]
    z = features[some].double() @ weight.mT
    b = output_curvature(model, modality, z, others[some].double())
    phi = features.double()
    n, d, width = len(phi), weight.shape[0], weight.shape[1]
    a_values, a_vectors = torch.linalg.eigh(phi.mT @ phi / n)
    b_values, b_vectors = torch.linalg.eigh(b)
    # Both are sums of squares: below 0 there is rounding alone.
    curvature = n * a_values.clamp(min=0)[:, None] * b_values.clamp(min=0)
    evidence = torch.stack(
        [
            0.5
            * (d * width * lam.log() - (curvature + lam).log().sum() - lam * weight.square().sum())
            for lam in _PRECISIONS
        ]
    )
    precision = float(_PRECISIONS[evidence.argmax()])
    return LastLayer(a_vectors, b_vectors, 1 / (curvature + precision), precision)


def output_curvature(model: ImageTextModel, modality: str, z: Tensor, others: Tensor) -> Tensor:
    """The mean Gauss-Newton matrix (d, d) of the choice among ``others`` (C, m) by projected
    features z (N, d)."""

    def logits(row: Tensor) -> Tensor:
        found: Tensor = pairwise_logits(
            model.lift(row[None], modality),
            others,
            manifold=model.manifold,
            scale=model.contrastive.scale(),
            logits=model.contrastive.logits,
        )[0]
        return found

    parts = []
    for rows in torch.split(z, 32):
        j = vmap(jacrev(logits))(rows)
        p = torch.stack([logits(row) for row in rows]).softmax(1)
        mean = torch.einsum("nc,ncd->nd", p, j)
        j = j - mean[:, None]
        parts.append(torch.einsum("nc,ncd,nce->de", p, j, j))
    return torch.stack(parts).sum(0) / len(z)


@torch.no_grad()
def last_layer_variance(
    model: ImageTextModel, modality: str, law: LastLayer, features: Tensor
) -> Tensor:
    """The mean variance (N,) of the coordinates of points, of features (N, D) through the law.

    To first order in the weights: the derivative of the lifted point's coordinates
    (:meth:`spaceforms.models.ImageTextModel.coordinates`) by the projected features, times their
    covariance.
    """
    weight = _projection(model, modality)

    def lifted(row: Tensor) -> Tensor:
        return model.coordinates(model.lift(row[None], modality))[0]

    rows = torch.split(features.double() @ weight.mT, 256)
    j = torch.cat([vmap(jacrev(lifted))(some) for some in rows])
    return (j @ law.covariance_root(features)).square().sum(-1).mean(-1).to(features.dtype)


def _projection(model: ImageTextModel, modality: str) -> Tensor:
    layers = {"image": model.image_projection, "text": model.text_projection}
    if modality not in layers:
        raise ValueError(f"modality is {modality!r}; expected one of {', '.join(layers)}.")
    return layers[modality].weight.detach().double()
