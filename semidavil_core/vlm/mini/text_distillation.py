"""Teach a small text transformer to put texts where the sentence encoder puts them."""

from __future__ import annotations

import logging
import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
import torch.nn.functional as F

from semidavil_core.vlm.mini.vocabulary import Corpus, fill_template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from semidavil_core.vlm.mini.text_targets import TextSpace

    Tokenizer = Callable[[Sequence[str]], torch.Tensor]

log = logging.getLogger(__name__)

_WARM_UP_STEPS = 50


class TextTower(Protocol):
    """The parts of an open_clip CLIP model that read text."""

    token_embedding: torch.nn.Embedding
    positional_embedding: torch.Tensor
    transformer: torch.nn.Module
    ln_final: torch.nn.Module
    text_projection: torch.Tensor
    attn_mask: torch.Tensor


@dataclass(frozen=True)
class DistillationSettings:
    """How long and how hard to train the text tower.

    Attributes
    ----------
    steps : int
        Optimiser steps.
    batch_size : int
        Texts per step.
    learning_rate : float
        Peak of a warm-up and cosine schedule (AdamW).
    temperature : float
        Of the in-batch contrastive term.
    seed : int
        Seed of the draw of texts.
    """

    steps: int = 1300
    batch_size: int = 256
    learning_rate: float = 2e-3
    temperature: float = 0.05
    seed: int = 0


def start_from_targets(tower: TextTower, token_ids: Sequence[int], targets: torch.Tensor) -> None:
    """Set the embedding of whole-word tokens to a projection of where the word belongs.

    Parameters
    ----------
    tower : TextTower
        Changed in place.
    token_ids : Sequence[int]
        Tokens that are one word.
    targets : torch.Tensor
        (N, D) float32 unit rows, one for each of `token_ids`.
    """
    width = tower.token_embedding.weight.shape[1]
    with torch.no_grad():
        start = targets[:, :width]  # principal axes come first, so this keeps the most
        padded = F.pad(start, (0, width - start.shape[1]))
        tower.token_embedding.weight[list(token_ids)] = padded * 0.5
        positions = tower.positional_embedding
        positions.copy_(torch.randn(positions.shape, generator=torch.Generator().manual_seed(1)) * 0.02)


def embed_texts(tower: TextTower, tokens: torch.Tensor) -> torch.Tensor:
    """Return (B, D) unit rows; equals ``encode_text(normalize=True)`` but skips the padding (the tower is causal)."""
    ends = tokens.argmax(-1)  # the end-of-text token has the largest id
    length = int(ends.max()) + 1
    hidden = tower.token_embedding(tokens[:, :length]) + tower.positional_embedding[:length]
    hidden = tower.transformer(hidden, attn_mask=tower.attn_mask[:length, :length])
    pooled = tower.ln_final(hidden)[torch.arange(len(tokens)), ends]
    return F.normalize(pooled @ tower.text_projection, dim=-1)


def distil(
    tower: TextTower, tokenizer: Tokenizer, corpus: Corpus, space: TextSpace, settings: DistillationSettings
) -> None:
    """Train `tower` in place to imitate `space` on `corpus`."""
    texts = [*corpus.nouns, *corpus.words, *corpus.compositions]
    log.info("embedding %d texts with the teacher", len(texts))
    table = dict(zip(texts, space.targets(texts), strict=True))
    parameters = list(_parameters(tower))
    optimiser = torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, settings.steps))
    for step, (inputs, keys) in enumerate(_batches(corpus, settings)):
        predicted = embed_texts(tower, tokenizer(inputs))
        loss = _loss(predicted, torch.stack([table[key] for key in keys]), settings.temperature)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        if step % 100 == 0:
            log.info("text step %d of %d: loss %.3f", step, settings.steps, loss.item())


def _parameters(tower: TextTower) -> Iterator[torch.nn.Parameter]:
    for part in (tower.token_embedding, tower.transformer, tower.ln_final):
        yield from part.parameters()
    for tensor in (tower.positional_embedding, tower.text_projection):
        if isinstance(tensor, torch.nn.Parameter):
            yield tensor


def _rate(step: int, steps: int) -> float:
    warm = min(1.0, (step + 1) / _WARM_UP_STEPS)
    return warm * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))


def _loss(predicted: torch.Tensor, target: torch.Tensor, temperature: float) -> torch.Tensor:
    """Distance to the own target, and the own target among the batch's (repeated targets count as own)."""
    cosine = predicted @ target.T
    near = 1 - cosine.diagonal().mean()
    soft = (target @ target.T / temperature).softmax(-1)  # what the teacher itself would confuse
    return near + 0.1 * F.cross_entropy(cosine / temperature, soft)


def _batches(corpus: Corpus, settings: DistillationSettings) -> Iterator[tuple[list[str], list[str]]]:
    rng = random.Random(settings.seed)
    for _ in range(settings.steps):
        drawn = [_draw(corpus, rng) for _ in range(settings.batch_size)]
        yield [text for text, _ in drawn], [key for _, key in drawn]


def _draw(corpus: Corpus, rng: random.Random) -> tuple[str, str]:
    """Draw one (input text, text whose target it has)."""
    draw = rng.random()
    if draw < 0.3:
        noun = rng.choice(corpus.nouns)
        return fill_template(noun, rng), noun
    if draw < 0.4:
        word = rng.choice(corpus.words)
        return fill_template(word, rng), word
    text = rng.choice(corpus.nouns if draw < 0.5 else corpus.words if draw < 0.8 else corpus.compositions)
    return text, text
