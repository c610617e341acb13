"""Which texts the text tower learns, and where each belongs: words, phrases, compositions, templates."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from semidavil_core.vlm.mini.phrases import (
    MODIFIERS,
    RELATIONS,
    TEMPLATES,
    concept_phrases,
    split_phrases,
    synonym_pairs,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_END_OF_WORD = "</w>"
_SHORTEST_WORD = 3
_HELD_OUT_EVERY = 40


@dataclass(frozen=True)
class Corpus:
    """Distinct texts by kind; every text is its own target.

    Attributes
    ----------
    nouns : tuple[str, ...]
        Things people segment, and ImageNet's class names. Templates are filled with these (target: the noun).
    words : tuple[str, ...]
        Whole words of the tokenizer's vocabulary.
    compositions : tuple[str, ...]
        Modifier and noun, noun and noun.
    held_out : tuple[str, ...]
        Compositions that are never trained on.
    """

    nouns: tuple[str, ...]
    words: tuple[str, ...]
    compositions: tuple[str, ...]
    held_out: tuple[str, ...]


def build_corpus(bpe_tokens: Sequence[str], imagenet_names: Sequence[str], size: int, seed: int) -> Corpus:
    """Collect the texts.

    Parameters
    ----------
    bpe_tokens : Sequence[str]
        The tokenizer's vocabulary; entries that end in ``</w>`` are whole words.
    imagenet_names : Sequence[str]
        The thousand class names.
    size : int
        Number of compositions to draw.
    seed : int
        Seed of the draw.
    """
    synonyms = [name for pair in synonym_pairs() for name in pair]
    nouns = tuple(dict.fromkeys([*concept_phrases(), *imagenet_names, *synonyms]))
    compositions = _compose(nouns, size, random.Random(seed))
    held_out = tuple(compositions[::_HELD_OUT_EVERY])
    trained = tuple(text for text in compositions if text not in set(held_out))
    return Corpus(nouns, tuple(_whole_words(bpe_tokens)), trained, held_out)


def fill_template(noun: str, rng: random.Random) -> str:
    """Put `noun` into one of the prompt templates."""
    return rng.choice(TEMPLATES).format(noun)


def _whole_words(bpe_tokens: Sequence[str]) -> list[str]:
    words = (token.removesuffix(_END_OF_WORD) for token in bpe_tokens if token.endswith(_END_OF_WORD))
    return [word for word in words if len(word) >= _SHORTEST_WORD and word.isascii() and word.isalpha()]


def _compose(nouns: Sequence[str], size: int, rng: random.Random) -> list[str]:
    modifiers, relations = split_phrases(MODIFIERS), split_phrases(RELATIONS)
    short = [noun for noun in nouns if len(noun.split()) <= 2]
    texts: dict[str, None] = {}
    while len(texts) < size:
        draw = rng.random()
        if draw < 0.6:
            text = f"{rng.choice(modifiers)} {rng.choice(nouns)}"
        elif draw < 0.8:
            text = f"{rng.choice(short)} {rng.choice(relations)} {rng.choice(short)}"
        else:
            text = f"{rng.choice(short)} {rng.choice(short)}"
        texts[text] = None
    return list(texts)
