"""The text side of a vision-language model: sentences in, unit vectors out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from semidavil_core.errors import WeightsUnavailable

_BATCH = 64


class TextEncoder:
    """Sentences to the embedding space, by an open_clip model and its tokenizer.

    Parameters
    ----------
    model
        An open_clip model; only its text side is used.
    tokenizer
        What open_clip pairs with it: texts to (N, context) token ids.
    fingerprint
        Tells models apart; see :class:`~semidavil_core.vlm.reference.VlmReference`.
    templates
        Name of the prompt templates that fit the model.
    """

    def __init__(
        self, model: Any, tokenizer: Callable[[list[str]], Tensor], *, fingerprint: str, templates: str
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.fingerprint = fingerprint
        self.templates = templates

    @property
    def device(self) -> torch.device:
        """Where the embeddings are computed."""
        device: torch.device = next(self.model.parameters()).device
        return device

    @torch.no_grad()
    def __call__(self, sentences: Sequence[str]) -> Tensor:
        """Unit embeddings (N, D) float32 of N sentences; sentences beyond the model's context are cut off."""
        batches = [self.encode(sentences[i : i + _BATCH]) for i in range(0, len(sentences), _BATCH)]
        return torch.cat(batches)

    def encode(self, sentences: Sequence[str]) -> Tensor:
        """As calling, in one batch and with gradients where the model allows them."""
        tokens = self.tokenizer(list(sentences)).to(self.device)
        return functional.normalize(self.model.encode_text(tokens).float(), dim=-1)


def check_tokenizer(tokenizer: Callable[[list[str]], Tensor], model: Any, where: str) -> None:
    """Refuse a tokenizer whose vocabulary is not the model's; open_clip falls back to its own without a word.

    Raises
    ------
    WeightsUnavailable
        The token numbers would mean other words to the model.
    """
    known, rows = _vocabulary_size(tokenizer), _embedding_rows(model)
    simple = type(tokenizer).__name__ == "SimpleTokenizer"
    if known is None or rows is None or (known == rows if simple else known <= rows):
        return
    raise WeightsUnavailable(
        f"The tokenizer found for {where} knows {known} tokens but the model expects {rows}, so words would be misread; "
        "use the model's own folder with its tokenizer files and hf_tokenizer_name in open_clip_config.json."
    )


def _vocabulary_size(tokenizer: Any) -> int | None:
    size = getattr(tokenizer, "vocab_size", None)
    inner: Any = getattr(tokenizer, "tokenizer", None)
    if size is None and hasattr(inner, "__len__"):
        size = len(inner)
    return size if isinstance(size, int) else None


def _embedding_rows(model: Any) -> int | None:
    text: Any = getattr(model, "text", model)
    embedding: Any = getattr(text, "token_embedding", None)
    inner: Any = getattr(text, "transformer", None)
    if embedding is None and hasattr(inner, "get_input_embeddings"):
        embedding = inner.get_input_embeddings()
    return embedding.num_embeddings if isinstance(embedding, nn.Embedding) else None
