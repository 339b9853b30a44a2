"""Every image-text model: two encoders, two projections, a lift to one manifold, its losses.

The models of this package are this class with other arguments, so that what they differ in can be
read off their constructors and each difference can be switched by itself.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from ..losses.common import can_look
from ..losses.entailment.compositional import mean_of, one_way
from ..manifolds import PositiveScalar, Product
from .design import Design, designed
from .entailment import General, Link, chain_links, entailment_loss, exclusion_loss
from .model_options import Option

MODALITIES = ("image", "text")


class Losses(NamedTuple):
    """The loss that is minimised and what it is made of, each a scalar."""

    total: Tensor
    parts: dict[str, Tensor]


class ImageTextModel(nn.Module):
    r"""Pictures and captions as points of one manifold.

    An encoder is any module with an integer attribute ``width`` that maps a batch to features
    (B, width). Its features are projected linearly to ``embed_dim`` numbers, in float32 from there
    on, and lifted to the manifold:

    - ``lift="normal"``: times a scalar alpha of the modality they are normal coordinates at the
      origin, from_normal(alpha v). The root, the point of everything, is the origin.
    - ``lift="project"``: the nearest point of the manifold, on the sphere v/\|v\| (CLIP). The root
      is the point of the empty caption, the nearest thing to one (Alper & Averbuch-Elor 2024).

    The loss is

    .. math:: L = L_{con} + \lambda\,h(t, i) + \mu\sum_k h(g_k, g_{k+1})
       + \nu\,\bigl(\lambda\,x(t, i) + \mu\sum_k x(g_k, g_{k+1})\bigr),

    :math:`L_{con}` the contrastive loss, h the entailment loss, t the captions, i the pictures and
    :math:`g_1, \dots, g_K` the texts above a caption from the most general, :math:`g_{K+1} = t`; x
    is :func:`spaceforms.losses.exclusion` of the same cones and the children of other rows, which
    are none of the parent's: without it nothing but the contrastive loss keeps cones from holding
    everything. With ``links="all"`` both sums are over all pairs of :math:`g_1, \dots, g_K` and
    what is below, captions and pictures included.
    A ``compositional`` model contrasts these with the pictures too: a row for each, in which every
    picture below it is a positive, and the mean of all 2 + K softmax losses (HyCoCLIP's,
    without picture parts).

    Args:
        image_encoder: pictures (B, 3, H, W) -> features.
        text_encoder: token ids (B, L) -> features.
        embed_dim: number of coordinates that are lifted.
        manifold: the space of the points.
        contrastive: the loss between pictures and captions; its scale is learned.
        entailment: the loss h of children in their parents' cones, a module of (parent, child);
            None for no cones.
        entail_weight: lambda.
        chain_weight: mu; if positive the model is trained on the texts above its captions.
        exclude_weight: nu.
        links: which pairs of a chain entail, see above.
        above: the cones of general texts; ``entailment`` if None.
        compositional: see above.
        lift: see above.
        alpha: initial alpha for ``lift="normal"``, below 1; 1/sqrt(embed_dim) if None, which puts
            the points at distance about 1 from the origin, for features start with entries of
            variance about 1.
        learn_alpha: False keeps it.
        fixed_radius: normal coordinates are scaled to this length, in place of alpha: all points
            at one distance from the root. A control, for what the radius has to do with a result.

    Raises:
        ValueError: what could not be trained: cones without an origin or beyond the sphere's
            hemisphere, cones that are half-spaces where training starts, an inner product where
            the manifold has none, a part of the loss without what it needs.
    """

    name: ClassVar[str]
    """What the command line and the configuration of a run call it."""
    summary: ClassVar[str]
    """What it is, in the help of the command line."""
    two_views: ClassVar[bool] = False
    """Whether training takes another view of each picture of a batch."""
    needs_cells: ClassVar[bool] = False
    """Whether its image encoder must leave more than one cell of a picture."""
    needs_mask: ClassVar[bool] = False
    """Whether its text encoder has one more token than the tokenizer gives, the mask."""

    own_options: ClassVar[Mapping[str, Option]] = {}
    """What the options are that it alone has."""

    @staticmethod
    def design(*args: Any, **options: Any) -> Design:
        """The space and the losses of a model with these options, which are its constructor's."""
        raise NotImplementedError

    @designed(Design)
    def __init__(self, image_encoder: nn.Module, text_encoder: nn.Module, design: Design) -> None:
        super().__init__()
        design.check(type(self).__name__)
        embed_dim = design.embed_dim
        self.image_encoder = image_encoder
        self.text_encoder = text_encoder
        self.image_projection = _projection(image_encoder, "image_encoder", embed_dim)
        self.text_projection = _projection(text_encoder, "text_encoder", embed_dim)
        self.manifold = design.manifold
        self.contrastive = design.contrastive
        self.lifting = design.lift
        self.entailment = design.entailment
        self.above = design.above or design.entailment
        self.entail_weight = design.entail_weight
        self.chain_weight = design.chain_weight
        self.exclude_weight = design.exclude_weight
        self.links = design.links
        self.compositional = design.compositional
        self.fixed_radius = design.fixed_radius
        self.in_hemisphere = design.in_hemisphere
        self.alpha: nn.ModuleDict | None = None
        if design.lift == "normal" and design.fixed_radius is None:
            start = embed_dim**-0.5 if design.alpha is None else design.alpha
            learned = design.learn_alpha
            bounds = (start * 1e-3, 1.0) if learned else None
            self.alpha = nn.ModuleDict(
                {m: PositiveScalar(start, bounds=bounds, learnable=learned) for m in MODALITIES}
            )

    @property
    def uses_general(self) -> bool:
        """Whether the loss takes the texts above the captions."""
        return self.chain_weight > 0 or self.compositional

    @property
    def min_radius(self) -> float | None:
        """Of the cones of captions; None for a model without cones."""
        return None if self.entailment is None else float(self.entailment.min_radius)  # type: ignore[arg-type]

    def lift(self, features: Tensor, modality: str) -> Tensor:
        """Points (B, m) from features (B, embed_dim) of one modality, ``"image"`` or ``"text"``."""
        if self.lifting == "project":
            return self.manifold.proj(features)
        if self.alpha is not None:
            features = self.alpha[modality]() * features
        if self.fixed_radius is not None:
            features = self.fixed_radius * nn.functional.normalize(features, dim=-1)
        elif self.in_hemisphere:
            features = _within(features, math.pi / 2 * self.manifold.radius)
        return self.manifold.from_normal(features)

    def encode_image(self, images: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) -> points (B, m), float32."""
        features = self.image_projection(self.image_encoder(images))
        return self.lift(features.float(), "image")

    def encode_text(self, tokens: Tensor) -> Tensor:
        """Token ids (B, L) -> points (B, m), float32."""
        features = self.text_projection(self.text_encoder(tokens))
        return self.lift(features.float(), "text")

    def coordinates(self, points: Tensor) -> Tensor:
        """Points (..., m) as numbers (..., d) without constraints, which a law per number can have.

        On a model that lifts by normal coordinates at the origin these are they; one that projects
        (CLIP) keeps the ambient unit vectors: normal coordinates at one point of the sphere would
        tear it at the antipode, about which CLIP's points lie as well as anywhere.
        """
        return points if self.lifting == "project" else self.manifold.to_normal(points)

    def from_coordinates(self, x: Tensor) -> Tensor:
        """Points (..., m) from numbers (..., d), the inverse; on a model that projects, the nearest
        point of the sphere of numbers that are off it."""
        return self.manifold.proj(x) if self.lifting == "project" else self.manifold.from_normal(x)

    def forward(self, images: Tensor, tokens: Tensor, *general: Tensor) -> tuple[Tensor, ...]:
        """The points of pictures, of captions, and of any further batches of texts."""
        texts = [self.encode_text(t) for t in (tokens, *general)]
        return self.encode_image(images), *texts

    def loss(
        self,
        image: Tensor,
        text: Tensor,
        targets: Tensor | None = None,
        *,
        general: Sequence[General] = (),
    ) -> Losses:
        """The loss of two batches of points, row by row a picture and its caption.

        Args:
            image: points (B, m).
            text: points (B, m).
            targets: (B, B), which belong together; see :func:`spaceforms.losses.info_nce`.
            general: the texts above the captions, the most general level first; needed if
                ``uses_general``.
        """
        if self.uses_general and not general:
            raise ValueError(
                f"{type(self).__name__}.loss: general is empty; expected the texts above the "
                "captions, which chain_weight > 0 and compositional ask for."
            )
        contrastive = self.contrastive(image, text, targets)
        if self.compositional:
            # The mean of both ways counts as two terms, each level of general texts as one.
            rows = [self._rows(level, image) for level in general]
            contrastive = mean_of([contrastive, contrastive, *rows])
        total, parts = contrastive, {"contrastive": contrastive}
        if self.entailment is not None:
            link = Link(text, image, None if targets is None else targets != 0)
            parts |= self._in_cones("entailment", self.entailment, [link])
        if self.above is not None and self.chain_weight > 0:
            links = chain_links(general, text, image, self.links)
            parts |= self._in_cones("chain", self.above, links)
        weights = {"entailment": self.entail_weight, "chain": self.chain_weight}
        for name, weight in weights.items():
            if name in parts:
                total = total + weight * parts[name]
            if f"{name} exclusion" in parts:
                total = total + weight * self.exclude_weight * parts[f"{name} exclusion"]
        return Losses(total, parts)

    def _in_cones(self, name: str, cones: nn.Module, links: Sequence[Link]) -> dict[str, Tensor]:
        """How far children are outside their cones and others inside, each summed over links."""
        parts = {name: entailment_loss(cones, links)}
        if self.exclude_weight > 0:
            parts[f"{name} exclusion"] = exclusion_loss(cones, links)
        return parts

    def _rows(self, level: General, image: Tensor) -> Tensor:
        """General texts against pictures: those below a text are its positives.

        A text stands above many rows: it is contrasted once, and counts as often as it stands.
        """
        loss, points, node, count = self.contrastive, level.points, level.node, None
        # On a device every row is contrasted, once each, which is the same mean: how many texts
        # there are would have to be waited for.
        if can_look(node):
            node, count = torch.unique(level.node, return_counts=True)
            points = points[(node[:, None] == level.node).int().argmax(1)]
        return one_way(
            points,
            image,
            node[:, None] == level.node,
            counts=count,
            manifold=self.manifold,
            scale=loss.scale(),
            logits=loss.logits,
        )

    def scalars(self) -> dict[str, float]:
        """The learned scalars and the curvature, for the log."""
        values = {"scale": float(self.contrastive.scale().detach())}
        if isinstance(self.manifold, Product):
            each = self.manifold.curvatures.detach()
            values |= {"curvature_min": float(each.min()), "curvature_max": float(each.max())}
        elif self.manifold.sign and self.lifting == "normal":
            values["curvature"] = float(self.manifold.curvature.detach())
        for name, alpha in (self.alpha or {}).items():
            values[f"alpha_{name}"] = float(alpha().detach().mean())
        return values

    @torch.no_grad()
    def root(self, empty: Tensor) -> Tensor:
        """The point that stands for everything, (m,), from the tokens of the empty caption."""
        if self.lifting == "project":
            return self.encode_text(empty.view(1, -1))[0]
        n = self.image_projection.out_features
        return self.manifold.origin(n, device=self.image_projection.weight.device)


def _within(v: Tensor, reach: float | Tensor) -> Tensor:
    """Vectors shortened to lengths below ``reach``: |v| -> reach tanh(|v|/reach), smooth at 0."""
    length = v.norm(dim=-1, keepdim=True) / reach
    # The clamp is below any length that training meets; at v = 0 the factor is 1, gradient 0.
    length = length.clamp(min=torch.finfo(v.dtype).tiny)
    shortened: Tensor = v * (length.tanh() / length)
    return shortened


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
