"""TCL: contrasts across modalities, within each, and of whole and part; a fusion encoder."""

import copy
import math
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import torch
from torch import Tensor, nn

from ...losses import (
    InfoNCE,
    mask_tokens,
    momentum_update,
    pairwise_logits,
    pool_patches,
    rising_momentum,
)
from ...losses.pairwise.info_nce import Logits
from ...losses.tcl.matching import IGNORED
from ...manifolds import Euclidean, Manifold, Sphere
from .. import distributed
from ..batch import Inputs
from ..design import Design, designed
from ..image_text import ImageTextModel, Losses
from ..model_options import Option
from ..zoo.spaces import hyperboloid, sphere
from .losses import Contrasts, Keys
from .matching import Features, Matcher, language_loss, match_loss


@dataclass(frozen=True, eq=False, kw_only=True)
class TCLDesign(Design):
    """A design with what TCL adds, as it explains it."""

    momentum: float
    queue_size: int
    distill: float
    ramp: int
    intra_weight: float
    local_weight: float
    fusion_weight: float
    fusion_layers: int
    pool: int
    seed: int

    def check(self, where: str) -> None:
        """See :meth:`Design.check`."""
        super().check(where)
        for name in ("momentum", "distill"):
            share = getattr(self, name)
            if not 0 <= share <= 1:
                raise ValueError(f"{where}: {name} is {share}; expected 0 to 1.")
        if self.queue_size < 0:
            raise ValueError(f"{where}: queue_size is {self.queue_size}; expected 0 or more.")
        if self.pool < 1:
            raise ValueError(f"{where}: pool is {self.pool}; expected at least 1.")
        for name in ("intra_weight", "local_weight", "fusion_weight"):
            weight = getattr(self, name)
            if not 0 <= weight < math.inf:
                raise ValueError(f"{where}: {name} is {weight}; expected 0 or more.")

    def check_batch(self, batch_size: int) -> None:
        """See :meth:`Design.check_batch`."""
        if 0 < self.queue_size < batch_size:
            raise ValueError(
                f"queue_size is {self.queue_size} with batch_size {batch_size}; expected a queue "
                "of at least a batch, or 0 for none."
            )


@final
class TCL(ImageTextModel):
    r"""Yang et al. 2022 (arXiv 2202.10401), on any manifold.

    .. math:: L = \frac{L_{CMA} + w_i L_{IMC} + w_l L_{LMI}}{1 + w_i + w_l}
              + w_f (L_{ITM} + L_{MLM}),

    the three contrasts of :mod:`spaceforms.losses.tcl.contrasts`, each the mean of pictures' and
    captions' (with all weights 1 the paper's loss), image-text matching with hard negatives, and
    masked language modelling. Keys are points of momentum copies of the encoders, of the batch and
    of queues of earlier ones; the momentum encoder sees another view of each picture. Parts are the
    cells of the image encoder's grid, pooled on the manifold, and the tokens of a caption. What is
    of one family with a row is its positive, in the queue too, and no negative anywhere.

    Against the paper: captions have no second view (the paper's is dropout, and there is none
    here); the temperature's inverse is learned, below 100. The paper starts from pretrained
    encoders and takes small steps. The defaults here are for encoders that start at random, and
    large steps: the momentum rises, there is no queue, and :math:`w_f` is 0.1. They were chosen on
    a training vendor's pictures, held out of short runs; with any of the paper's (a constant
    momentum of 0.995, a queue, a weight of 1) these retrieved worse.

    Args:
        image_encoder: an :class:`ImageEncoder` with more than one cell in its grid.
        text_encoder: a :class:`TextEncoder`; the last token of its vocabulary is the mask, which no
            tokenizer gives.
        embed_dim: number of coordinates of a point on the sphere; dimension of other spaces.
        manifold: the space; made from ``curvature`` if None. Points are features over their norm
            on the sphere, and normal coordinates elsewhere (:class:`ImageTextModel`).
        curvature: of a sphere, flat space or hyperboloid by its sign.
        learn_curvature: learn it within a factor of 10.
        logits: the similarity; if None "inner" on the sphere, else "neg_dist".
        momentum: of the copies (0.995 in the paper), which they rise to from 0.1, for encoders that
            start at random (:func:`rising_momentum`).
        queue_size: points kept of each modality; at least a batch, or 0 for no queue. A queue is
            for small steps and a momentum near 1, or its keys are told from the batch's by their
            age, and next to nothing else is learned.
        distill: alpha, the share of the momentum model's own guess in the targets.
        ramp: steps in which alpha rises from 0.
        intra_weight: :math:`w_i`.
        local_weight: :math:`w_l`.
        fusion_weight: :math:`w_f`; 1 in the paper, and with 0 there is no fusion encoder.
        fusion_layers: blocks of it.
        pool: side of the squares of cells whose mean is one part.
        learn_alpha: see :class:`ImageTextModel`.
        seed: of what is drawn in training: negatives and masks.

    Everything drawn is a function of the seed, the number of the step and the process, and the
    copies, the queues and that number are in the ``state_dict``: training goes on from a checkpoint
    to the same numbers.
    """

    name = "tcl"
    summary = (
        "unit sphere (or another space, by curvature) with momentum, queues and a fusion encoder"
    )
    two_views = needs_cells = needs_mask = True
    own_options: ClassVar = {
        "momentum": Option("tcl: of the encoders' moving averages, which they rise to."),
        "queue_size": Option(
            "tcl: points of earlier batches, at least a batch; 0, as if not given, for none.",
            most=2**24,
        ),
        "distill": Option("tcl: the share of the moving average's own guess in the targets."),
        "intra_weight": Option("tcl: weight of the contrast within a modality; 0 for none."),
        "local_weight": Option("tcl: weight of the contrast of wholes with parts; 0 for none."),
        "fusion_weight": Option(
            "tcl: weight of matching and masked words; 0 for no fusion encoder."
        ),
        "fusion_layers": Option("tcl: blocks of the fusion encoder.", most=1000),
        "pool": Option("tcl: side of the squares of cells that are one part of a picture."),
    }
    steps: Tensor

    @staticmethod
    def design(
        *,
        embed_dim: int = 128,
        manifold: Manifold | None = None,
        curvature: float = 1.0,
        learn_curvature: bool = False,
        logits: Logits | None = None,
        momentum: float = 0.995,
        queue_size: int = 0,
        distill: float = 0.4,
        ramp: int = 100,
        intra_weight: float = 1.0,
        local_weight: float = 1.0,
        fusion_weight: float = 0.1,
        fusion_layers: int = 1,
        pool: int = 1,
        learn_alpha: bool = True,
        seed: int = 0,
    ) -> TCLDesign:
        """See :meth:`ImageTextModel.design`."""
        space = _space(curvature, learn_curvature) if manifold is None else manifold
        round_ = isinstance(space, Sphere)
        return TCLDesign(
            embed_dim=embed_dim,
            manifold=space,
            contrastive=InfoNCE(space, logits=logits or ("inner" if round_ else "neg_dist")),
            lift="project" if round_ else "normal",
            learn_alpha=learn_alpha,
            momentum=momentum,
            queue_size=queue_size,
            distill=distill,
            ramp=ramp,
            intra_weight=intra_weight,
            local_weight=local_weight,
            fusion_weight=fusion_weight,
            fusion_layers=fusion_layers,
            pool=pool,
            seed=seed,
        )

    @designed(design)
    def __init__(
        self, image_encoder: nn.Module, text_encoder: nn.Module, design: TCLDesign
    ) -> None:
        super().__init__(image_encoder, text_encoder, **design.arguments())
        design.check("TCL")
        pool = design.pool
        self.side = _integer(image_encoder, "side")
        if self.side < 2 or pool < 1 or self.side % pool:
            raise ValueError(
                f"TCL: the image encoder leaves a grid of {self.side} x {self.side} cells with "
                f"pool {pool}; expected more than one cell, and a pool that divides the side."
            )
        self.mask_id = _integer(text_encoder, "vocabulary") - 1
        self.momentum, self.distill = design.momentum, design.distill
        self.ramp, self.pool, self.seed = design.ramp, pool, design.seed
        self.fusion_weight = design.fusion_weight
        averaged = ["image_encoder", "text_encoder", "image_projection", "text_projection"]
        self.matcher: Matcher | None = None
        if design.fusion_weight > 0:
            self.matcher = Matcher(
                _integer(text_encoder, "width"),
                _integer(image_encoder, "width"),
                layers=design.fusion_layers,
                vocabulary=self.mask_id + 1,
            )
            averaged.append("matcher")
        self.teacher = nn.ModuleDict(
            {name: copy.deepcopy(getattr(self, name)) for name in averaged}
        )
        self.teacher.requires_grad_(False)
        self.contrasts = Contrasts(
            design.manifold,
            design.embed_dim - (design.lift == "project"),
            queue_size=design.queue_size,
            intra_weight=design.intra_weight,
            local_weight=design.local_weight,
        )
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        # The same as a number: a GPU is asked for it only after a state was loaded.
        self._taken: int | None = 0
        self.register_load_state_dict_post_hook(_forget)  # type: ignore[no-untyped-call]

    def reset_parameters(self) -> None:
        """No step taken."""
        self.steps.zero_()
        self._taken = 0

    def _step(self) -> int:
        if self._taken is None:
            self._taken = int(self.steps)
        return self._taken

    # -- points and features --------------------------------------------------------------------

    def image_features(self, images: Tensor) -> Tensor:
        """Features of the cells of pictures (B, 3, H, W) -> (B, P, width)."""
        features: Tensor = self.image_encoder.local(images)  # type: ignore[operator]
        return features

    def text_features(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Features of tokens (B, L) -> (B, L, width), and which of them there are."""
        return self.text_encoder.local(tokens), tokens != 0  # type: ignore[operator]

    def match(self, features: Features) -> Tensor:
        """Logits (B,) of "this caption is of this picture", by the fusion encoder.

        Raises:
            ValueError: a model without one.
        """
        if self.matcher is None:
            raise ValueError("TCL: fusion_weight is 0, so there is no fusion encoder to match by.")
        return self.matcher.match(features)

    @torch.no_grad()
    def keys(self, images: Tensor, tokens: Tensor) -> Keys:
        """What the momentum encoders make of pictures and captions."""
        teacher = self.teacher
        cells = teacher["image_encoder"].local(images)  # type: ignore[operator]
        words = teacher["text_encoder"].local(tokens)  # type: ignore[operator]

        def points(features: Tensor, modality: str) -> Tensor:
            projected: Tensor = teacher[f"{modality}_projection"](features)
            return self.lift(projected.float(), modality)

        caption = teacher["text_encoder"].pool(words, tokens)  # type: ignore[operator]
        grid = points(cells, "image")
        grid = grid.view(len(grid), self.side, self.side, -1)
        return Keys(
            points(cells.mean(1), "image"),
            points(caption, "text"),
            pool_patches(grid, manifold=self.manifold, size=self.pool),
            points(words, "text"),
            cells,
        )

    # -- training -------------------------------------------------------------------------------

    def training_loss(self, inputs: Inputs) -> Losses:
        """The loss of this process's share of a batch; its keys wait for :meth:`after_step`.

        The contrasts are of the whole batch, gathered; matching and masked words of the share.
        """
        images, tokens = inputs.images, inputs.tokens
        cells = self.image_features(images)
        words, mask = self.text_features(tokens)
        pooled = self.text_encoder.pool(words, tokens)  # type: ignore[operator]
        image = self.lift(self.image_projection(cells.mean(1)).float(), "image")
        text = self.lift(self.text_projection(pooled).float(), "text")
        keys = self.keys(images if inputs.view is None else inputs.view, tokens)

        parts = self.contrasts(
            image,
            text,
            keys,
            mask,
            inputs.family,
            contrastive=self.contrastive,
            alpha=self._alpha(),
        )
        total = self.contrasts.mean(parts)
        if self.matcher is not None:
            rank, _ = distributed.place()
            generator = torch.Generator(images.device)
            generator.manual_seed(_mixed(self.seed, self._step(), rank))
            parts["matching"] = match_loss(
                self.matcher,
                Features(cells, words, mask),
                self._similarity(image, text),
                inputs.family[:, None] == inputs.family,
                generator=generator,
            )
            parts["language"] = self._language(cells, keys.cells, tokens, generator)
            total = total + self.fusion_weight * (parts["matching"] + parts["language"])
        return Losses(total, parts)

    @torch.no_grad()
    def _similarity(self, image: Tensor, text: Tensor) -> Tensor:
        return pairwise_logits(
            image,
            text,
            manifold=self.manifold,
            scale=self.contrastive.scale(),
            logits=self.contrastive.logits,
        )

    def _language(
        self, cells: Tensor, teachers: Tensor, tokens: Tensor, generator: torch.Generator
    ) -> Tensor:
        """MLM of captions with new holes."""
        assert self.matcher is not None
        holes, labels = mask_tokens(
            tokens, mask_id=self.mask_id, vocabulary=self.mask_id, generator=generator
        )
        words, mask = self.text_features(holes)
        with torch.no_grad():
            hidden = self.teacher["text_encoder"].local(holes)  # type: ignore[operator]
        return language_loss(
            self.matcher,
            Features(cells, words, mask),
            labels,
            asked=labels != IGNORED,
            teacher=(self.teacher["matcher"], Features(teachers, hidden, mask)),  # type: ignore[arg-type]
            weight=self._alpha(),
        )

    def _alpha(self) -> float:
        return self.distill * min(1.0, self._step() / max(self.ramp, 1))

    def after_step(self) -> None:
        """Move the momentum copies and push the keys of the step into the queues."""
        momentum = rising_momentum(self.momentum, self._step())
        for name, module in self.teacher.items():
            momentum_update(module, getattr(self, name), momentum=momentum)
        self.contrasts.push()
        self.steps += 1
        if self._taken is not None:
            self._taken += 1


def _forget(model: nn.Module, _: object) -> None:
    """After a state was loaded: the number of steps is the state's."""
    model._taken = None  # type: ignore[assignment]


def _mixed(*words: int) -> int:
    """A seed from several numbers."""
    return int(np.random.SeedSequence([w & 0xFFFFFFFF for w in words]).generate_state(1)[0])


def _space(curvature: float, learnable: bool) -> Manifold:
    if curvature == 0:
        if learnable:
            raise ValueError("learn_curvature is set with curvature 0; expected a curved space.")
        return Euclidean()
    make = sphere if curvature > 0 else hyperboloid
    return make(curvature, learnable=learnable)


def _integer(encoder: nn.Module, name: str) -> int:
    value = getattr(encoder, name, None)
    if not isinstance(value, int):
        raise ValueError(
            f"TCL: {type(encoder).__name__} has {name} {value!r}; expected an encoder with parts, "
            "such as ImageEncoder and TextEncoder."
        )
    return value
