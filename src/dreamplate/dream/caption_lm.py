"""Words for a picture from a language model, steered by evolution: the text mode of CLIP-GLaSS.

A genetic search looks for a few tokens in front of a fixed phrase such that what the model goes on with,
always taking its likeliest next token, agrees with the picture (Galatolo, Cimino, Vaglini, "Generating
images from caption and vice versa via CLIP-Guided Generative Latent Space Search", 2021).

Departures: the original gives a whole generation no score when one caption in it is too long, so that a
good caption is lost to a bad neighbour; here each is cut after its last whole word that fits and scored by
itself. It has no seed; here every draw follows from one. Captions that came up before are not scored again.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dreamplate.dream.caption import Caption, TextMemory
from dreamplate.dream.caption_config import LanguageModelConfig
from dreamplate.dream.concepts import see
from dreamplate.dream.painting import Genome
from dreamplate.dream.scorers import Scorer
from dreamplate.errors import CheckpointError, ConfigError, MissingExtraError, ModelError

TOKENIZERS = ("tokenizer.json", "vocab.json and merges.txt", "tokenizer.model", "spiece.model")
"""Files that hold a tokenizer; one of these is enough."""
WEIGHTS = ("*.safetensors", "pytorch_model*.bin")


class Writer:
    """A causal language model with its tokenizer; build it with `load_writer`.

    Args:
        model: A ``transformers`` causal language model in evaluation mode.
        tokenizer: Its tokenizer.
        name: What it is called in messages.

    Raises:
        ModelError: The tokenizer knows more tokens than the model.
    """

    def __init__(self, model: Any, tokenizer: Any, name: str) -> None:
        self.model, self.tokenizer, self.name = model, tokenizer, name
        known = int(model.get_input_embeddings().weight.shape[0])
        if len(tokenizer) > known:
            raise ModelError(
                f"{name}: its tokenizer has {len(tokenizer):,} tokens, the model {known:,}; use the folder as"
                " it was published"
            )
        special = set(tokenizer.all_special_ids)
        self.ordinary = torch.tensor([index for index in range(len(tokenizer)) if index not in special])
        """Ids of the tokens that are text."""
        ends = getattr(model.generation_config, "eos_token_id", None)
        ends = ends if isinstance(ends, list | tuple) else [ends]
        self.ends = {int(end) for end in (*ends, tokenizer.eos_token_id) if end is not None}
        # What the package calls a model's memory of earlier tokens changed with its version 5.24.
        parameters = inspect.signature(model.forward).parameters
        self.memory = "cache" if "cache" in parameters else "past_key_values"
        self.room = int(getattr(model.config, "max_position_embeddings", 0) or 1 << 30)

    def ids(self, text: str) -> list[int]:
        """Return the tokens of a text, without marks around it."""
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    @torch.no_grad()
    def go_on(self, prompts: Int[Tensor, "n t"], length: int) -> Int[Tensor, "n {length}"]:
        """Return the ``length`` tokens with which the model goes on, the likeliest each time.

        Args:
            prompts: Token ids.
            length: How many to add.
        """
        made, fed, cache = [], prompts, None
        for _ in range(length):
            out = self.model(input_ids=fed, use_cache=True, **{self.memory: cache})
            cache = getattr(out, self.memory)
            fed = out.logits[:, -1:].argmax(-1)
            made.append(fed)
        return torch.cat(made, dim=1)

    def read(self, tokens: Sequence[int]) -> str:
        """Return tokens as text on one line, up to the first that ends it."""
        kept: list[int] = []
        for token in tokens:
            if token in self.ends:
                break
            kept.append(token)
        return " ".join(self.tokenizer.decode(kept, skip_special_tokens=True).split())


def load_writer(folder: Path) -> Writer:
    """Load a causal language model from a folder; nothing is downloaded, and no code in the folder is run.

    Raises:
        MissingExtraError: The package ``transformers`` is not installed.
        ConfigError: It is no folder, or holds no config, no weights or no tokenizer; says which files.
        CheckpointError: The files are there and cannot be used.
    """
    _check_folder(folder)
    try:
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging
    except ImportError as error:
        raise MissingExtraError(
            'the package transformers is not installed: pip install "dreamplate[transformers]"'
        ) from error
    options = {"local_files_only": True, "trust_remote_code": False}
    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), **options)
        model = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32, **options)
    except Exception as error:  # the package raises whatever its own libraries raise
        reason = " ".join(str(error).split())[:160]
        raise CheckpointError(f"{folder}: not a usable causal language model ({reason})") from error
    finally:
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
    model.requires_grad_(False)
    quiet: Any = model  # the package's own methods carry no types
    return Writer(quiet.eval(), tokenizer, str(folder))


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise ConfigError(
            f"lm is {folder}: no such folder; give one with config.json, weights and a tokenizer"
        )
    if not (folder / "config.json").is_file():
        raise ConfigError(
            f"lm {folder}: has no config.json; give the folder of a model as transformers keeps it"
        )
    if not any(list(folder.glob(pattern)) for pattern in WEIGHTS):
        raise ConfigError(f"lm {folder}: has no weights; put {' or '.join(WEIGHTS)} into it")
    if not any(all((folder / part).is_file() for part in name.split(" and ")) for name in TOKENIZERS):
        raise ConfigError(f"lm {folder}: has no tokenizer; put {', or '.join(TOKENIZERS)} into it")


class LanguageModelCaptions:
    """Captions by a language model under genetic search.

    Args:
        scorer: What judges.
        writer: What writes.
        config: The options.
        seed: Number that every draw follows from.

    Raises:
        ConfigError: Prompt and continuation together are longer than the model can read.
    """

    def __init__(
        self, scorer: Scorer, writer: Writer, config: LanguageModelConfig | None = None, seed: int = 0
    ) -> None:
        self.scorer, self.writer, self.seed = scorer, writer, seed
        self.config = config or LanguageModelConfig()
        self.phrase = writer.ids(self.config.phrase)
        whole = self.config.tokens + len(self.phrase) + self.config.length
        if not self.phrase:
            raise ConfigError(f"writer.phrase is {self.config.phrase!r}: {writer.name} reads no token in it")
        if whole > writer.room:
            raise ConfigError(
                f"tokens, phrase and length are {whole} together: {writer.name} reads {writer.room}, "
                "use fewer"
            )
        self.encode = TextMemory(scorer)

    def genome(self) -> Genome:
        """Return what evolves: one whole number for each token in front, an index of the ordinary ones."""
        return Genome(integers=(len(self.writer.ordinary),) * self.config.tokens)

    def write(self, genes: Int[Tensor, "n tokens"]) -> list[str]:
        """Return the caption of each row of genes, cut to length; each is independent of the others."""
        texts: list[str] = []
        for start in range(0, len(genes), self.config.chunk):
            part = genes[start : start + self.config.chunk]
            front = self.writer.ordinary[part]
            prompts = torch.cat([front, torch.tensor([self.phrase]).expand(len(part), -1)], dim=1)
            for row in self.writer.go_on(prompts, self.config.length).tolist():
                words = shorten(self.writer.read(row), self.config.characters)
                texts.append(f"{self.config.phrase} {words}".strip())
        return texts

    def __call__(self, image: Float[Tensor, "1 3 h w"], count: int = 5) -> list[Caption]:
        """Return the best different captions of a picture, display-encoded in [0, 1]."""
        return self.describe(see(self.scorer, image).cpu(), count)

    def describe(self, seen: Float[Tensor, " dim"], count: int = 5) -> list[Caption]:
        """Return captions of a picture that is given by its unit vector."""
        from dreamplate.dream.evolve import Evolution

        evolution = Evolution(self.genome(), "ga", self.config.population, self.seed, 1)
        scores: dict[str, float] = {}
        for _ in range(self.config.generations):
            texts = self.write(evolution.ask().integers)
            agreement = self.encode(texts) @ seen
            scores.update(zip(texts, agreement.tolist(), strict=True))
            evolution.tell(-agreement[:, None].double())
        best = sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:count]
        return [Caption(text, score, score) for text, score in best]


def shorten(text: str, characters: int) -> str:
    """Return a text of at most so many characters, cut after a whole word where that is possible."""
    if len(text) <= characters:
        return text
    cut = text[: characters + 1]
    return cut.rpartition(" ")[0].rstrip() or text[:characters]
