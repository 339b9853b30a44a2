"""What a fusion encoder learns by: which pair matches, and which word is missing."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from ...manifolds.checks import (
    check_integer,
    check_integers,
    check_number,
    check_real,
    check_tensor,
)
from ..common import Reduction, check_list, check_reduction, check_share, in_float32, reduce

IGNORED = -100
"""The label of a token that is not asked for, as in torch's cross entropy."""


class Negatives(NamedTuple):
    """One column for each row, drawn by :func:`hard_negatives`."""

    column: Tensor
    """(B,) int64."""
    found: Tensor
    """(B,) bool: False where the row has no negative; its column means nothing then."""


@torch.no_grad()
def hard_negatives(
    similarity: Tensor, positives: Tensor, *, generator: torch.Generator | None = None
) -> Negatives:
    """For each row one column that is not its positive, with probability softmax(similarity).

    The nearer a wrong partner, the likelier (Li et al. 2021, ALBEF). Drawn as the largest of
    similarity plus Gumbel noise, in float64, which is a draw from the softmax without forming it:
    no sum that may be 0 and no row that fails. A positive is never drawn.

    Args:
        similarity: logits (B, C).
        positives: (B, C), True for the pair itself and for every duplicate of it.
        generator: of the noise, on the tensors' device; torch's own if None.
    """
    check_tensor("hard_negatives", "similarity", similarity)
    check_real("hard_negatives", "positives", positives)
    if similarity.ndim != 2 or positives.shape != similarity.shape:
        raise ValueError(
            f"hard_negatives: similarity has shape {tuple(similarity.shape)} and positives "
            f"{tuple(positives.shape)}; expected one shape (B, C)."
        )
    # -log of an exponential number is Gumbel noise: the largest of score plus that is a draw from
    # the softmax of the scores.
    noise = torch.empty_like(similarity, dtype=torch.float64).exponential_(generator=generator)
    # The mask comes last: nothing, not even a NaN, makes a positive the largest.
    score = (similarity.double() - noise.log()).masked_fill(positives.bool(), -torch.inf)
    return Negatives(score.argmax(1), ~positives.bool().all(1))


def matching_loss(
    logits: Tensor,
    matched: Tensor,
    *,
    counted: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """Image-text matching: binary cross entropy of "these two belong together" (Li et al. 2021).

    Args:
        logits: (N,), of a match; the difference of the papers' two logits.
        matched: (N,), whether they do, or a probability.
        counted: (N,), False for an entry to leave out (a negative that was not found).
        reduction: ``"mean"`` over what is counted, ``"sum"`` or ``"none"``: (N,), 0 where not
            counted.
    """
    where = "matching_loss"
    check_reduction(where, reduction)
    check_tensor(where, "logits", logits)
    check_real(where, "matched", matched)
    if counted is not None:
        check_real(where, "counted", counted)
    if logits.shape != matched.shape or (counted is not None and counted.shape != logits.shape):
        raise ValueError(
            f"{where}: logits have shape {tuple(logits.shape)}, matched {tuple(matched.shape)} and "
            f"counted {None if counted is None else tuple(counted.shape)}; expected one shape."
        )
    (logits,) = in_float32(where, logits=logits)
    loss = functional.binary_cross_entropy_with_logits(
        logits, matched.to(logits.dtype), reduction="none"
    )
    if counted is not None:
        loss = loss.where(counted, 0.0)
    return reduce(loss, counted, reduction)


class MaskedTokens(NamedTuple):
    """A text with holes, made by :func:`mask_tokens`."""

    tokens: Tensor
    """(B, L) int64, the input."""
    labels: Tensor
    """(B, L) int64, what was there; IGNORED where nothing is asked."""


@torch.no_grad()
def mask_tokens(
    tokens: Tensor,
    *,
    mask_id: int,
    vocabulary: int,
    special: tuple[int, ...] = (0, 1),
    rate: float = 0.15,
    generator: torch.Generator | None = None,
) -> MaskedTokens:
    """Choose tokens at a rate; hide 80 % of them, replace 10 % by others, leave 10 % (BERT).

    Each token is chosen independently (Devlin et al. 2019, section 3.1): of a short text none may
    be.

    Args:
        tokens: (B, L), integers.
        mask_id: the token that hides one.
        vocabulary: replacements are uniform on 0..vocabulary-1 without the special ones.
        special: tokens (padding, end) that are never chosen and never put in.
        rate: probability of a choice.
        generator: of the draws, on the tensors' device; torch's own if None.
    """
    where = "mask_tokens"
    check_integers(where, "tokens", tokens)
    check_integer(where, "mask_id", mask_id, 0)
    check_integer(where, "vocabulary", vocabulary, 1)
    check_number(where, "rate", rate)
    check_list(where, "special", special)
    for k in special:
        check_integer(where, "special", k, 0)
    ordinary = [k for k in range(vocabulary) if k not in special and k != mask_id]
    if not 0 <= rate <= 1 or not ordinary:
        raise ValueError(
            f"{where}: rate is {rate} with {len(ordinary)} tokens that are not special; expected a "
            "probability and at least one token."
        )

    def draw() -> Tensor:
        return torch.rand(tokens.shape, generator=generator, device=tokens.device)

    kept = torch.isin(tokens, torch.tensor(special, device=tokens.device))
    chosen = (draw() < rate) & ~kept
    # `kind` decides what becomes of a chosen token: hidden below 0.8, another from 0.9 on.
    kind = draw()
    other = torch.tensor(ordinary, device=tokens.device, dtype=tokens.dtype)
    pick = torch.randint(len(ordinary), tokens.shape, generator=generator, device=tokens.device)
    masked = torch.where(chosen & (kind < 0.8), mask_id, tokens)
    masked = torch.where(chosen & (kind >= 0.9), other[pick], masked)
    return MaskedTokens(masked, tokens.where(chosen, IGNORED))


def masked_language_loss(
    logits: Tensor,
    labels: Tensor,
    *,
    teacher: Tensor | None = None,
    weight: Tensor | float = 0.4,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Cross entropy of the hidden tokens, softened by a momentum model's guesses.

    .. math:: L = (1-\alpha)\,H(y, p) + \alpha\,H(p', p),

    y the token that was there, p and p' the softmax of the logits and of the teacher's (Li et al.
    2021, ALBEF, up to the teacher's own entropy, which has no gradient).

    Args:
        logits: (..., V).
        labels: (...), integers; IGNORED where nothing is asked.
        teacher: logits (..., V) of the momentum model, no gradient flows to it; None for hard
            labels alone.
        weight: alpha, of the teacher.
        reduction: ``"mean"`` over the tokens asked for (0 if there are none), ``"sum"``, or
            ``"none"``: (...).
    """
    where = "masked_language_loss"
    check_reduction(where, reduction)
    check_tensor(where, "logits", logits)
    check_integers(where, "labels", labels)
    check_share(where, "weight", weight)
    if teacher is not None:
        check_tensor(where, "teacher", teacher)
    if logits.shape[:-1] != labels.shape or (teacher is not None and teacher.shape != logits.shape):
        raise ValueError(
            f"{where}: logits have shape {tuple(logits.shape)}, labels {tuple(labels.shape)} and "
            f"teacher {None if teacher is None else tuple(teacher.shape)}; expected (..., V), "
            "(...) and (..., V)."
        )
    (logits,) = in_float32(where, logits=logits)
    # IGNORED is no index: such a token reads entry 0, and its loss is set to 0 below.
    asked = labels != IGNORED
    log_p = logits.log_softmax(-1)
    loss = -log_p.gather(-1, labels.where(asked, 0)[..., None]).squeeze(-1)
    if teacher is not None:
        # `soft` are the teacher's guesses; their own entropy, a constant, is left out.
        soft = teacher.detach().to(logits.dtype).softmax(-1)
        loss = (1 - weight) * loss - weight * (soft * log_p).sum(-1)
    return reduce(loss.where(asked, 0.0), asked, reduction)
