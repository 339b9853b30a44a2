"""MERU: pictures and captions in hyperbolic space, captions above their pictures."""

from typing import final

from torch import Tensor, nn

from ..losses import EntailmentLoss, InfoNCE
from ..manifolds import Lorentz, PositiveScalar
from .image_text import ImageTextModel, Losses


@final
class MERU(ImageTextModel):
    r"""Desai et al. 2023 (arXiv 2304.09172), written from the paper.

    Features, times a learned scalar of their modality, are normal coordinates at the origin of
    the hyperboloid. The loss is :math:`L_{con} + \lambda L_{ent}`: InfoNCE on negative distances,
    and the hinge that puts a picture into the entailment cone of its caption.

    Constants as in the paper: curvature -1 at first, learned between -10 and -0.1; the scalars
    1/sqrt(embed_dim) at first, at most 1; the scale 1/0.07 at first, below 100; lambda = 0.2;
    min_radius = 0.1. Bounds are kept smoothly (:class:`PositiveScalar`) where the paper clamps.

    Args:
        image_encoder, text_encoder: see :class:`ImageTextModel`.
        embed_dim: dimension n of the hyperboloid; points have n + 1 coordinates.
        curvature: the initial one.
        learn_curvature: False keeps it.
        entail_weight: lambda.
        min_radius: see :meth:`Manifold.half_aperture`.
    """

    def __init__(
        self,
        image_encoder: nn.Module,
        text_encoder: nn.Module,
        *,
        embed_dim: int = 128,
        curvature: float = -1.0,
        learn_curvature: bool = True,
        entail_weight: float = 0.2,
        min_radius: float = 0.1,
    ) -> None:
        bounds = (10 * curvature, curvature / 10) if learn_curvature else None
        space = Lorentz(curvature, learnable=learn_curvature, bounds=bounds)
        super().__init__(
            image_encoder,
            text_encoder,
            embed_dim=embed_dim,
            manifold=space,
            contrastive=InfoNCE(space, logits="neg_dist"),
        )
        self.entailment = EntailmentLoss(space, min_radius=min_radius)
        self.entail_weight = entail_weight
        # At the encoders' initialisation features have norm about sqrt(embed_dim): the scalars
        # start the points at distance about 1 from the origin.
        start = embed_dim**-0.5
        self.alpha = nn.ModuleDict(
            {m: PositiveScalar(start, bounds=(start * 1e-3, 1.0)) for m in ("image", "text")}
        )

    def lift(self, features: Tensor, modality: str) -> Tensor:
        """exp at the origin of alpha times features: (B, embed_dim) -> (B, embed_dim + 1)."""
        return self.manifold.from_normal(self.alpha[modality]() * features)

    def loss(self, image: Tensor, text: Tensor, targets: Tensor | None = None) -> Losses:
        """InfoNCE plus ``entail_weight`` times entailment of each picture by its caption."""
        contrastive = self.contrastive(image, text, targets)
        entailment = self.entailment(text, image)
        return Losses(
            contrastive + self.entail_weight * entailment,
            {"contrastive": contrastive, "entailment": entailment},
        )

    def scalars(self) -> dict[str, float]:
        """Scale, curvature and both alphas."""
        return super().scalars() | {
            "curvature": float(self.manifold.curvature.detach()),
            **{f"alpha_{name}": float(alpha().detach()) for name, alpha in self.alpha.items()},
        }
