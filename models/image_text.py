"""What every image-text model shares: two encoders, two projections, one manifold, one loss."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..losses import InfoNCE
from ..manifolds import Manifold


class Losses(NamedTuple):
    """The loss that is minimised and what it is made of, each a scalar."""

    total: Tensor
    parts: dict[str, Tensor]


class ImageTextModel(nn.Module, ABC):
    """Pictures and captions as points of one manifold.

    An encoder is any module with an integer attribute ``width`` that maps a batch to features
    (B, width). Its features are projected linearly to ``embed_dim`` numbers, in float32 from there
    on, and lifted to the manifold, which is what the models differ in.

    Args:
        image_encoder: pictures (B, 3, H, W) -> features.
        text_encoder: token ids (B, L) -> features.
        embed_dim: number of coordinates that a model lifts.
        manifold: the space of the points.
        contrastive: the loss between pictures and captions; its scale is learned.
    """

    def __init__(
        self,
        image_encoder: nn.Module,
        text_encoder: nn.Module,
        *,
        embed_dim: int,
        manifold: Manifold,
        contrastive: InfoNCE,
    ) -> None:
        super().__init__()
        self.image_encoder = image_encoder
        self.text_encoder = text_encoder
        self.image_projection = _projection(image_encoder, "image_encoder", embed_dim)
        self.text_projection = _projection(text_encoder, "text_encoder", embed_dim)
        self.manifold = manifold
        self.contrastive = contrastive

    @abstractmethod
    def lift(self, features: Tensor, modality: str) -> Tensor:
        """Points from features (B, embed_dim) of one modality, ``"image"`` or ``"text"``."""

    def encode_image(self, images: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) -> points (B, m), float32."""
        features = self.image_projection(self.image_encoder(images))
        return self.lift(features.float(), "image")

    def encode_text(self, tokens: Tensor) -> Tensor:
        """Token ids (B, L) -> points (B, m), float32."""
        features = self.text_projection(self.text_encoder(tokens))
        return self.lift(features.float(), "text")

    def forward(self, images: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """The points of both: (B, m), (B, m)."""
        return self.encode_image(images), self.encode_text(tokens)

    def loss(self, image: Tensor, text: Tensor, targets: Tensor | None = None) -> Losses:
        """The loss of two batches of points, row by row a picture and its caption.

        Args:
            image: points (B, m).
            text: points (B, m).
            targets: (B, B), which belong together; see :func:`spaceforms.losses.info_nce`.
        """
        contrastive = self.contrastive(image, text, targets)
        return Losses(contrastive, {"contrastive": contrastive})

    def scalars(self) -> dict[str, float]:
        """The learned scalars, for the log."""
        return {"scale": float(self.contrastive.scale().detach())}

    @torch.no_grad()
    def root(self, empty: Tensor) -> Tensor:
        """The point that stands for everything, (m,), from the tokens of the empty caption."""
        del empty
        n = self.image_projection.out_features
        return self.manifold.origin(n, device=self.image_projection.weight.device)


def _projection(encoder: nn.Module, name: str, embed_dim: int) -> nn.Linear:
    width = getattr(encoder, "width", None)
    if not isinstance(width, int):
        raise ValueError(
            f"ImageTextModel: {name} ({type(encoder).__name__}) has width {width!r}; expected an "
            "integer attribute `width`, the number of its features."
        )
    layer = nn.Linear(width, embed_dim, bias=False)
    nn.init.normal_(layer.weight, std=width**-0.5)  # CLIP's and MERU's initialisation
    return layer
