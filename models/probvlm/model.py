"""ProbVLM: a law for each frozen embedding, predicted by a small adapter, on any model's points."""

import math
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...distributions import GeneralizedGaussian
from ...losses.common import check_option
from ...losses.functional import bounded_shape, generalized_gaussian_nll, probvlm_surrogate_nll
from ...losses.metrics import aleatoric_variance, epistemic_variance
from ...manifolds.checks import check_tensor
from ..image_text import MODALITIES, Losses

Likelihood = Literal["generalized_gaussian", "gaussian", "laplace", "surrogate"]
LIKELIHOODS: tuple[Likelihood, ...] = get_args(Likelihood)
_FIXED_SHAPE = {"gaussian": 2.0, "laplace": 1.0}


class Law(NamedTuple):
    """Independent generalized Gaussians, one a coordinate: each (..., d)."""

    loc: Tensor
    log_scale: Tensor
    shape: Tensor

    def distribution(self) -> GeneralizedGaussian:
        """The law as a ``torch.distributions`` one, of batch shape (..., d)."""
        return GeneralizedGaussian(self.loc, self.log_scale.exp(), self.shape, validate_args=False)


class Uncertainty(NamedTuple):
    """Mean variances over the coordinates, each (B,): of the law, of the model, and their sum."""

    aleatoric: Tensor
    epistemic: Tensor
    total: Tensor


class Adapter(nn.Module):
    """Embeddings (B, d) -> a law a coordinate: d -> 256 -> 256 -> (d, d, d) with dropout.

    Location, log-scale and shape are heads of one trunk; scale and shape lie between bounds, which
    they approach smoothly. (The published code has a ReLU on 1/scale and on the shape: a unit that
    is off gives 1e-4, and no gradient to leave it.)

    Args:
        dim: d.
        hidden: width of the two hidden layers.
        dropout: the share of hidden units left out while training.
        shape_bounds: of the predicted shape; None predicts none.
    """

    SCALE_BOUNDS = (1e-3, 1e2)
    """Of the predicted scale, in units of the embeddings' standard deviation."""

    def __init__(
        self,
        dim: int,
        *,
        hidden: int = 256,
        dropout: float = 0.1,
        shape_bounds: tuple[float, float] | None = (0.3, 8.0),
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.trunk = nn.ModuleList([nn.Linear(dim, hidden), nn.Linear(hidden, hidden)])
        self.loc = nn.Linear(hidden, dim)
        self.scale = _flat(hidden, dim, _raw_of_one(self.SCALE_BOUNDS))
        self.shape_bounds = shape_bounds
        if shape_bounds is not None:
            # At 0, the middle of the bounds by logarithms: 1.55, between Laplace and normal.
            self.shape: nn.Linear | None = _flat(hidden, dim, 0.0)
        else:
            self.shape = None

    def forward(self, x: Tensor, masks: list[Tensor] | None = None) -> tuple[Tensor, ...]:
        """Location, log-scale and, if it is predicted, shape, each (B, d).

        Args:
            x: standardised embeddings (B, d).
            masks: factors (hidden,) of the two hidden layers' units, those of one thinned network
                for all rows; None for ordinary dropout (none in evaluation mode).
        """
        for k, layer in enumerate(self.trunk):
            x = functional.relu(layer(x))
            if masks is None:
                x = functional.dropout(x, self.dropout, self.training)
            else:
                x = x * masks[k]
        low, high = map(math.log, self.SCALE_BOUNDS)
        log_scale = low + (high - low) * self.scale(x).sigmoid()
        if self.shape is None or self.shape_bounds is None:
            return self.loc(x), log_scale
        return self.loc(x), log_scale, bounded_shape(self.shape(x), *self.shape_bounds)

    def thinned(self, generator: torch.Generator) -> list[Tensor]:
        """The masks of one network drawn by dropout, on the generator's device."""
        keep = 1 - self.dropout
        return [
            (torch.rand(layer.out_features, generator=generator) < keep).float() / keep
            for layer in self.trunk
            if isinstance(layer, nn.Linear)
        ]


class ProbVLM(nn.Module):
    r"""Adapters on frozen embeddings of pictures and texts (Upadhyay et al., ICCV 2023).

    Two adapters predict laws :math:`G_V, G_T` from a picture's embedding :math:`z_V` and its
    text's :math:`z_T`, coordinate by coordinate, and are trained by (eq. 8)

    .. math:: L = w\,(-\log G_V(z_V) - \log G_T(z_T)) + \lambda\,(-\log G_V(z_T) - \log G_T(z_V)).

    The first part asks for the embedding itself back, the second (eq. 7) for that of the other
    modality. Eq. 7 is no logarithm of the chance that both are equal (eq. 4) but an upper bound of
    one that swaps one law for a point; see :func:`spaceforms.losses.functional.cross_nll`.

    The **likelihood** is that of a generalized Gaussian whose shape is predicted too, of a normal
    law, of Laplace's, or ``"surrogate"``: what the published code minimises in place of the first,
    :math:`|x-m|\,b/a + \log a + \log\Gamma(1/b) - \log b`. That is no density's; its best
    shape is 0.684 whatever the data are, and b multiplies as 1/a does.

    **Embeddings** are any numbers without constraints;
    :func:`spaceforms.models.probvlm.alignment_heads.coordinates` says which, of a model's points.
    They are standardised inside by ``centre`` and ``spread``, the same for both modalities, and all
    laws are of the embeddings as given.

    Args:
        dim: number d of coordinates.
        likelihood: see above.
        intra_weight: w.
        cross_weight: lambda.
        hidden, dropout, shape_bounds: see :class:`Adapter`.
        centre: (d,), and
        spread: of the training embeddings: a mean, and one standard deviation for all coordinates.

    Raises:
        ValueError: a dim below 1, an unknown likelihood, weights that are negative or both 0.
    """

    centre: Tensor
    spread: Tensor

    def __init__(
        self,
        dim: int,
        *,
        likelihood: Likelihood = "generalized_gaussian",
        intra_weight: float = 1.0,
        cross_weight: float = 1.0,
        hidden: int = 256,
        dropout: float = 0.1,
        shape_bounds: tuple[float, float] = (0.3, 8.0),
        centre: Tensor | None = None,
        spread: float = 1.0,
    ) -> None:
        super().__init__()
        if dim < 1:
            raise ValueError(f"ProbVLM: dim is {dim}; expected at least 1.")
        if likelihood not in LIKELIHOODS:
            raise ValueError(
                f"ProbVLM: likelihood is {likelihood!r}; expected one of {', '.join(LIKELIHOODS)}."
            )
        if min(intra_weight, cross_weight) < 0 or intra_weight + cross_weight == 0:
            raise ValueError(
                f"ProbVLM: intra_weight is {intra_weight} and cross_weight {cross_weight}; "
                "expected 0 or more, and not both 0."
            )
        self.likelihood = likelihood
        self.intra_weight, self.cross_weight = intra_weight, cross_weight
        bounds = None if likelihood in _FIXED_SHAPE else shape_bounds
        sizes: dict[str, Any] = {"hidden": hidden, "dropout": dropout, "shape_bounds": bounds}
        self.adapters = nn.ModuleDict({m: Adapter(dim, **sizes) for m in MODALITIES})
        centre = torch.zeros(dim) if centre is None else centre.clone()
        self._given = (None if centre.is_meta else centre, float(spread))
        self.register_buffer("centre", centre.clone())
        self.register_buffer("spread", torch.tensor(float(spread)))

    def reset_parameters(self) -> None:
        """The embeddings' centre and spread as they were given; the layers have their own."""
        centre, spread = self._given
        self.centre.copy_(torch.zeros_like(self.centre) if centre is None else centre)
        self.spread.fill_(spread)

    def law(self, x: Tensor, modality: str, masks: list[Tensor] | None = None) -> Law:
        """The laws of embeddings (B, d) of one modality, ``"image"`` or ``"text"``.

        Computed in the dtype of the model, whatever that of the embeddings is.
        """
        check_option("ProbVLM", "modality", modality, MODALITIES)
        check_tensor("ProbVLM", modality, x)
        if x.shape[-1:] != self.centre.shape:
            raise ValueError(
                f"ProbVLM: {modality} has shape {tuple(x.shape)}; expected embeddings of "
                f"{len(self.centre)} coordinates."
            )
        x = x.to(self.centre.dtype)
        out = self.adapters[modality]((x - self.centre) / self.spread, masks)
        shape = out[2] if len(out) > 2 else torch.full_like(out[0], _FIXED_SHAPE[self.likelihood])
        return Law(self.centre + self.spread * out[0], self.spread.log() + out[1], shape)

    def forward(self, image: Tensor, text: Tensor) -> tuple[Law, Law]:
        """The laws of pictures' and of texts' embeddings, (B, d) each."""
        return self.law(image, "image"), self.law(text, "text")

    def pair_laws(self, image: Tensor, text: Tensor) -> tuple[Law, Law]:
        """The same, for a loss: of two batches of as many rows, and of some."""
        laws: tuple[Law, Law] = self(image, text)
        if image.ndim != 2 or image.shape != text.shape or not len(image):
            raise ValueError(
                f"{type(self).__name__}.loss: image has shape {tuple(image.shape)} and text "
                f"{tuple(text.shape)}; expected pairs row by row, both (B, {image.shape[-1]}) with "
                "B >= 1."
            )
        return laws

    def nll(self, x: Tensor, law: Law) -> Tensor:
        """What the likelihood makes of embeddings x under a law, entry by entry (B, d)."""
        if self.likelihood == "surrogate":
            return probvlm_surrogate_nll(
                x, law.loc, (-law.log_scale).exp(), law.shape, reduction="none"
            )
        return generalized_gaussian_nll(x, law.loc, law.log_scale, law.shape, reduction="none")

    def loss(self, image: Tensor, text: Tensor, targets: Tensor | None = None) -> Losses:
        """The loss of two batches of embeddings (B, d), row by row a pair: nats a coordinate.

        ``targets`` (B, B) says which rows belong together; this loss compares no others.

        Raises:
            TypeError: an argument that is no floating-point tensor.
            ValueError: batches of unequal sizes, empty ones, or embeddings of another dim.
        """
        laws = self.pair_laws(image, text)
        intra = self.nll(image, laws[0]).mean() + self.nll(text, laws[1]).mean()
        cross = self.nll(text, laws[0]).mean() + self.nll(image, laws[1]).mean()
        total = self.intra_weight * intra + self.cross_weight * cross
        return Losses(total, {"intra": intra, "cross": cross})

    @torch.no_grad()
    def uncertainty(
        self, x: Tensor, modality: str, *, passes: int = 20, seed: int = 0
    ) -> Uncertainty:
        r"""Uncertainty of embeddings (B, d) of one modality (eq. 9).

        Dropout draws ``passes`` networks, each for all rows, so that a row's figures do not depend
        on what else is in its batch. Epistemic is the variance of their locations (divided by the
        number of networks, as in eq. 9), aleatoric the mean of their laws' variances
        :math:`a^2\,\Gamma(3/b)/\Gamma(1/b)`.

        Args:
            x: embeddings.
            modality: ``"image"`` or ``"text"``.
            passes: M; 1 gives no epistemic variance.
            seed: of the networks drawn.

        Raises:
            TypeError: x is no floating-point tensor.
            ValueError: another modality, embeddings of another dim, no passes.
        """
        check_option("ProbVLM.uncertainty", "modality", modality, MODALITIES)
        if passes < 1:
            raise ValueError(f"ProbVLM.uncertainty: passes is {passes}; expected at least 1.")
        laws = list(self._drawn(x, modality, passes, seed))
        locations = torch.stack([law.loc for law in laws])
        variances = [aleatoric_variance(law.log_scale.exp(), law.shape) for law in laws]
        aleatoric = torch.stack(variances).mean((0, -1))
        epistemic = epistemic_variance(locations).mean(-1)
        return Uncertainty(aleatoric, epistemic, aleatoric + epistemic)

    def _drawn(self, x: Tensor, modality: str, passes: int, seed: int) -> Iterator[Law]:
        generator = torch.Generator().manual_seed(seed)
        adapter = self.adapters[modality]
        assert isinstance(adapter, Adapter)
        for _ in range(passes):
            yield self.law(x, modality, [mask.to(x.device) for mask in adapter.thinned(generator)])


def _flat(inputs: int, outputs: int, bias: float) -> nn.Linear:
    """A layer whose outputs are all ``bias`` at first."""
    layer = nn.Linear(inputs, outputs)
    nn.init.zeros_(layer.weight)
    nn.init.constant_(layer.bias, bias)
    return layer


def _raw_of_one(bounds: tuple[float, float]) -> float:
    """What the logistic function makes a scale of 1 of."""
    low, high = map(math.log, bounds)
    return math.log(-low / high)
