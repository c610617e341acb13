"""The sentence encoder that teaches `mini` what words mean: MiniLM-L6, a six-layer BERT, forward pass only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_LAYERS = 6
_HEADS = 12
_LAYER_NORM_EPS = 1e-12
_MAX_TOKENS = 64


@dataclass(frozen=True)
class TokenBatch:
    """Padded token ids and the mask of real tokens.

    Attributes
    ----------
    ids : torch.Tensor
        (B, L) int64 vocabulary indices, 0 where padded.
    mask : torch.Tensor
        (B, L) bool, True at real tokens.
    """

    ids: torch.Tensor
    mask: torch.Tensor


class MiniLM:
    """all-MiniLM-L6-v2 in plain torch: texts in, unit sentence vectors out.

    Post-norm BERT (Devlin et al. 2019) with mean pooling over the real tokens, as the model's own
    sentence-transformers configuration states.

    Parameters
    ----------
    folder : Path
        A folder with ``model.safetensors`` and ``tokenizer.json``.
    """

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer  # only building needs it, so not a dependency of the package

        self._weights = load_file(folder / "model.safetensors")
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(max_length=_MAX_TOKENS)
        self._tokenizer.no_padding()

    @torch.inference_mode()
    def encode(self, texts: Sequence[str], batch_size: int = 256) -> torch.Tensor:
        """Embed texts.

        Parameters
        ----------
        texts : Sequence[str]
            Words or sentences; anything beyond 64 tokens is cut off.
        batch_size : int
            Texts per forward pass. Texts of like length share a batch, so little is padded.

        Returns
        -------
        torch.Tensor
            (N, 384) float32 rows of unit length, in the order of `texts`.
        """
        encodings = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(encodings)), key=lambda i: len(encodings[i]))
        rows = torch.empty(len(encodings), self._weights["embeddings.LayerNorm.weight"].numel())
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            rows[chosen] = self._embed(_pad([encodings[i] for i in chosen]))
        return rows

    def _embed(self, batch: TokenBatch) -> torch.Tensor:
        hidden = self._tokens(batch.ids)
        attendable = batch.mask[:, None, None, :]  # (B, 1, 1, L), broadcast over heads and queries
        for layer in range(_LAYERS):
            hidden = self._block(f"encoder.layer.{layer}.", hidden, attendable)
        weights = batch.mask[..., None].float()
        return F.normalize((hidden * weights).sum(1) / weights.sum(1), dim=-1)

    def _tokens(self, ids: torch.Tensor) -> torch.Tensor:
        words = self._weights["embeddings.word_embeddings.weight"][ids]
        places = self._weights["embeddings.position_embeddings.weight"][: ids.shape[1]]
        segment = self._weights["embeddings.token_type_embeddings.weight"][0]
        return self._norm("embeddings.LayerNorm", words + places + segment)

    def _block(self, prefix: str, hidden: torch.Tensor, attendable: torch.Tensor) -> torch.Tensor:
        mixed = self._attention(prefix + "attention.self.", hidden, attendable)
        hidden = self._norm(
            prefix + "attention.output.LayerNorm",
            hidden + self._linear(prefix + "attention.output.dense", mixed),
        )
        inner = F.gelu(self._linear(prefix + "intermediate.dense", hidden))
        return self._norm(prefix + "output.LayerNorm", hidden + self._linear(prefix + "output.dense", inner))

    def _attention(self, prefix: str, hidden: torch.Tensor, attendable: torch.Tensor) -> torch.Tensor:
        query, key, value = (
            self._linear(prefix + name, hidden).unflatten(-1, (_HEADS, -1)).transpose(1, 2)
            for name in ("query", "key", "value")
        )  # each (B, heads, L, width / heads)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=attendable)
        return mixed.transpose(1, 2).flatten(2)

    def _linear(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, self._weights[name + ".weight"], self._weights[name + ".bias"])

    def _norm(self, name: str, x: torch.Tensor) -> torch.Tensor:
        weight, bias = self._weights[name + ".weight"], self._weights[name + ".bias"]
        return F.layer_norm(x, (x.shape[-1],), weight, bias, _LAYER_NORM_EPS)


def _pad(sequences: Sequence[Sequence[int]]) -> TokenBatch:
    longest = max(len(sequence) for sequence in sequences)
    ids = torch.zeros(len(sequences), longest, dtype=torch.int64)
    mask = torch.zeros(len(sequences), longest, dtype=torch.bool)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = torch.tensor(sequence)
        mask[row, : len(sequence)] = True
    return TokenBatch(ids, mask)
