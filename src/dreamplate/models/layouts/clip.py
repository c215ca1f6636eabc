"""CLIP checkpoints: OpenAI's archives, open_clip's files, and Hugging Face folders.

OpenAI's names are kept, and open_clip has the same. Hugging Face keeps queries, keys and values apart, turns
the projections, and has names of its own.

No tensor shows which activation a checkpoint was trained with, and the wrong one is silently worse. So it is
read from what comes with the file: Hugging Face's ``config.json``, open_clip's ``open_clip_config.json``,
the counters that only OpenAI's archives hold, or ``openai`` or ``quickgelu`` in its name. Where none of these
tells, the settings say nothing, and the network asks.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from dreamplate.errors import CheckpointError
from dreamplate.models.importer import Importer, Rule, Settings, Shape

_BN = ("weight", "bias", "running_mean", "running_var")
_COUNTERS = ("input_resolution", "context_length", "vocab_size")
_OWN_NAME = re.compile(r"(?:^|[^a-z])(?:openai|quick-?gelu)(?:[^a-z]|$)", re.IGNORECASE)
_MAX_BYTES = 4 << 20


def infer(shapes: Mapping[str, Shape]) -> Settings:
    """Read everything that shapes show.

    Returns:
        ``vision``: ``vit`` or ``resnet``; ``depth`` and ``text_depth``: layers (of a ResNet's four stages,
        joined by spaces); ``width``, ``inner``, ``text_width``, ``text_inner``, ``dim``: channels;
        ``patch`` and ``size``: pixels; ``context``: ids of a text; ``vocabulary``.
    """

    def size(name: str, axis: int) -> int:
        shape = shapes.get(name, ())
        return shape[axis] if len(shape) > axis else 0

    def count(pattern: str) -> int:
        return len({found[1] for name in shapes if (found := re.match(pattern, name))})

    text = {
        "dim": size("text_projection", 1),
        "text_depth": count(r"transformer\.resblocks\.(\d{1,4})\."),
        "text_width": size("token_embedding.weight", 1),
        "text_inner": size("transformer.resblocks.0.mlp.c_fc.weight", 0),
        "context": size("positional_embedding", 0),
        "vocabulary": size("token_embedding.weight", 0),
    }
    if "visual.layer1.0.conv1.weight" in shapes:
        grid = math.isqrt(max(size("visual.attnpool.positional_embedding", 0) - 1, 0))
        depth = [count(rf"visual\.layer{stage}\.(\d{{1,4}})\.") for stage in (1, 2, 3, 4)]
        return text | {
            "vision": "resnet",
            "depth": " ".join(map(str, depth)),
            "width": size("visual.layer1.0.conv1.weight", 0),
            "size": 32 * grid,
        }
    patch = size("visual.conv1.weight", 3)
    return text | {
        "vision": "vit",
        "depth": count(r"visual\.transformer\.resblocks\.(\d{1,4})\."),
        "width": size("visual.conv1.weight", 0),
        "inner": size("visual.transformer.resblocks.0.mlp.c_fc.weight", 0),
        "patch": patch,
        "size": patch * math.isqrt(max(size("visual.positional_embedding", 0) - 1, 0)),
    }


def expected(settings: Settings) -> Mapping[str, Shape]:
    """Return every tensor of the network that these settings describe."""
    dim, width = int(settings["dim"]), int(settings["text_width"])
    needed: dict[str, Shape] = {
        "token_embedding.weight": (int(settings["vocabulary"]), width),
        "positional_embedding": (int(settings["context"]), width),
        "text_projection": (width, dim),
        "logit_scale": (),
    } | _pair("ln_final", (width,))
    needed |= _blocks("transformer", int(settings["text_depth"]), width, int(settings["text_inner"]))
    return needed | (_resnet(settings) if settings["vision"] == "resnet" else _vit(settings))


def _vit(settings: Settings) -> dict[str, Shape]:
    width, patch = int(settings["width"]), int(settings["patch"])
    grid = int(settings["size"]) // max(patch, 1)
    needed: dict[str, Shape] = {
        "visual.conv1.weight": (width, 3, patch, patch),
        "visual.class_embedding": (width,),
        "visual.positional_embedding": (grid * grid + 1, width),
        "visual.proj": (width, int(settings["dim"])),
    }
    needed |= _pair("visual.ln_pre", (width,)) | _pair("visual.ln_post", (width,))
    return needed | _blocks("visual.transformer", int(settings["depth"]), width, int(settings["inner"]))


def _resnet(settings: Settings) -> dict[str, Shape]:
    inner, grid = int(settings["width"]), int(settings["size"]) // 32
    needed: dict[str, Shape] = {}
    inside = 3
    for index, out in enumerate((inner // 2, inner // 2, inner), 1):
        needed |= _conv(f"visual.conv{index}", f"visual.bn{index}", (out, inside, 3, 3))
        inside = out
    for stage, depth in enumerate(map(int, str(settings["depth"]).split()), 1):
        for index in range(depth):
            name = f"visual.layer{stage}.{index}"
            needed |= _conv(f"{name}.conv1", f"{name}.bn1", (inner, inside, 1, 1))
            needed |= _conv(f"{name}.conv2", f"{name}.bn2", (inner, inner, 3, 3))
            needed |= _conv(f"{name}.conv3", f"{name}.bn3", (4 * inner, inner, 1, 1))
            if index == 0:
                needed |= _conv(f"{name}.downsample.0", f"{name}.downsample.1", (4 * inner, inside, 1, 1))
            inside = 4 * inner
        inner *= 2
    needed["visual.attnpool.positional_embedding"] = (grid * grid + 1, inside)
    for part in "qkv":
        needed |= _pair(f"visual.attnpool.{part}_proj", (inside, inside))
    return needed | _pair("visual.attnpool.c_proj", (int(settings["dim"]), inside))


def _blocks(name: str, depth: int, width: int, inner: int) -> dict[str, Shape]:
    needed: dict[str, Shape] = {}
    for index in range(depth):
        prefix = f"{name}.resblocks.{index}."
        needed[f"{prefix}attn.in_proj_weight"] = (3 * width, width)
        needed[f"{prefix}attn.in_proj_bias"] = (3 * width,)
        needed |= _pair(f"{prefix}attn.out_proj", (width, width))
        needed |= _pair(f"{prefix}ln_1", (width,)) | _pair(f"{prefix}ln_2", (width,))
        needed |= _pair(f"{prefix}mlp.c_fc", (inner, width)) | _pair(f"{prefix}mlp.c_proj", (width, inner))
    return needed


def _conv(name: str, norm: str, shape: Shape) -> dict[str, Shape]:
    return {f"{name}.weight": shape} | {f"{norm}.{part}": shape[:1] for part in _BN}


def _pair(name: str, shape: Shape) -> dict[str, Shape]:
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def tags(path: Path, names: Collection[str]) -> Settings:
    """Read what no shape shows from what comes with a file.

    Args:
        path: The weight file.
        names: Its tensors, as it names them.

    Returns:
        ``activation``, ``heads`` and ``text_heads``, ``mean`` and ``std`` (three numbers joined by spaces),
        as far as anything tells them.

    Raises:
        CheckpointError: A configuration beside the file is damaged, or of a network that is not this one.
    """
    folder = path.parent
    open_clip, own = _read(folder / "open_clip_config.json"), _read(folder / "config.json")
    found: dict[str, int | float | str] = {}
    if open_clip is not None:
        found = _from_open_clip(folder / "open_clip_config.json", open_clip)
    elif own is not None and ("vision_config" in own or "text_config" in own):
        found = _from_hugging_face(folder / "config.json", own)
    elif all(any(name.endswith(counter) for name in names) for counter in _COUNTERS) or _OWN_NAME.search(
        f"{_title(folder)}/{path.name}"
    ):
        found = {"activation": "quick_gelu"}
    return found | _colours(_read(folder / "preprocessor_config.json"), "image_mean", "image_std")


def _from_open_clip(path: Path, entries: Mapping[str, Any]) -> dict[str, int | float | str]:
    model = _table(path, entries, "model_cfg") or entries
    vision, text = (_table(path, model, key) for key in ("vision_cfg", "text_cfg"))
    found: dict[str, int | float | str] = {"activation": "quick_gelu" if model.get("quick_gelu") else "gelu"}
    width, head = vision.get("width"), vision.get("head_width", 64)
    if (
        isinstance(width, int)
        and isinstance(vision.get("layers"), int)
        and isinstance(head, int)
        and head > 0
    ):
        found["heads"] = width // head
    if isinstance(text.get("heads"), int):
        found["text_heads"] = text["heads"]
    return found | _colours(entries.get("preprocess_cfg"), "mean", "std")


def _from_hugging_face(path: Path, entries: Mapping[str, Any]) -> dict[str, int | float | str]:
    vision, text = (_table(path, entries, key) for key in ("vision_config", "text_config"))
    # What is not written down is its library's default, by that library's own rule.
    activations = {str(part.get("hidden_act", "quick_gelu")) for part in (vision, text)}
    if len(activations) != 1:
        raise CheckpointError(f"{path}: its towers have two activations, {sorted(activations)}; one expected")
    for part in (vision, text):
        eps = part.get("layer_norm_eps", 1e-5)
        if not isinstance(eps, float) or not math.isclose(eps, 1e-5, rel_tol=1e-3):
            raise CheckpointError(f"{path}: layer_norm_eps is {str(eps)[:40]}; 1e-05 expected")
    return {
        "activation": activations.pop(),
        "heads": _whole(path, vision, "num_attention_heads", 12),
        "text_heads": _whole(path, text, "num_attention_heads", 8),
    }


def _colours(entries: object, mean: str, std: str) -> dict[str, int | float | str]:
    """Return the normalisation of colours, where it is three numbers each."""
    found: dict[str, int | float | str] = {}
    for key, name in ((mean, "mean"), (std, "std")):
        numbers = entries.get(key) if isinstance(entries, dict) else None
        if isinstance(numbers, list) and len(numbers) == 3 and all(type(n) in (int, float) for n in numbers):
            found[name] = " ".join(map(str, numbers))
    return found


def _whole(path: Path, entries: Mapping[str, Any], key: str, default: int) -> int:
    number = entries.get(key, default)
    if type(number) is not int or number < 1:
        raise CheckpointError(f"{path}: {key} is {str(number)[:40]!r}; a whole number expected")
    return number


def _table(path: Path, entries: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    # Old folders hold ``text_config_dict`` beside or instead of it.
    found = entries.get(key) or entries.get(f"{key}_dict") or {}
    if not isinstance(found, dict):
        raise CheckpointError(f"{path}: {key} holds no table; use the file that came with the checkpoint")
    return found


def _title(folder: Path) -> str:
    """Return the name of a checkpoint's folder, or of the model that a download cache keeps there."""
    if folder.parent.name == "snapshots":
        return folder.parent.parent.name.rpartition("--")[2]
    return folder.name


def _read(path: Path) -> dict[str, Any] | None:
    """Return a configuration file, or ``None`` where there is none."""
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        entries = json.loads(data) if len(data) <= _MAX_BYTES else None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{path}: not valid JSON; use the file that came with the checkpoint"
        ) from error
    if not isinstance(entries, dict):
        raise CheckpointError(f"{path}: holds no table; use the file that came with the checkpoint")
    return entries


def _hugging_face(tower: str, ours: str) -> tuple[Rule, ...]:
    layer = rf"{tower}\.encoder\.layers\.(\d+)\."
    block = rf"{ours}transformer.resblocks.\1."
    attention = [
        Rule(rf"{layer}self_attn\.{name}_proj\.(weight|bias)", (rf"{block}attn.in_proj_\2",), part=part)
        for part, name in enumerate("qkv")
    ]
    return (
        *attention,
        Rule(rf"{layer}self_attn\.out_proj\.(weight|bias)", (rf"{block}attn.out_proj.\2",)),
        Rule(rf"{layer}layer_norm([12])\.(weight|bias)", (rf"{block}ln_\2.\3",)),
        Rule(rf"{layer}mlp\.fc1\.(weight|bias)", (rf"{block}mlp.c_fc.\2",)),
        Rule(rf"{layer}mlp\.fc2\.(weight|bias)", (rf"{block}mlp.c_proj.\2",)),
    )


CLIP = Importer(
    name="clip",
    title="CLIP (OpenAI, open_clip)",
    architecture="clip",
    family="scorer",
    signature={
        "token_embedding.weight": (None, None),
        "text_projection": (None, None),
        "visual.conv1.weight": (None, 3, None, None),
        "transformer.resblocks.0.attn.in_proj_weight": (None, None),
    },
    rules=(
        Rule(rf"(?:visual\.)?(?:{'|'.join(_COUNTERS)}|attn_mask)"),
        Rule(r".*num_batches_tracked"),
        # All else is kept, so that the network can name what it has no place for.
        Rule(r"(.+)", (r"\1",)),
    ),
    infer=infer,
    expected=expected,
    tags=tags,
)

CLIP_HUGGING_FACE = Importer(
    name="clip-hugging-face",
    title="CLIP (Hugging Face)",
    architecture="clip",
    family="scorer",
    signature={
        "text_model.embeddings.token_embedding.weight": (None, None),
        "text_projection.weight": (None, None),
        "visual_projection.weight": (None, None),
        "vision_model.embeddings.patch_embedding.weight": (None, 3, None, None),
    },
    rules=(
        Rule(r".*\.position_ids"),
        Rule(r"vision_model\.embeddings\.class_embedding", ("visual.class_embedding",)),
        Rule(r"vision_model\.embeddings\.patch_embedding\.weight", ("visual.conv1.weight",)),
        Rule(r"vision_model\.embeddings\.position_embedding\.weight", ("visual.positional_embedding",)),
        Rule(r"vision_model\.pre_(?:layrnorm|layernorm)\.(weight|bias)", (r"visual.ln_pre.\1",)),
        Rule(r"vision_model\.post_layernorm\.(weight|bias)", (r"visual.ln_post.\1",)),
        Rule(r"visual_projection\.weight", ("visual.proj",), transform="transpose"),
        Rule(r"text_model\.embeddings\.token_embedding\.weight", ("token_embedding.weight",)),
        Rule(r"text_model\.embeddings\.position_embedding\.weight", ("positional_embedding",)),
        Rule(r"text_model\.final_layer_norm\.(weight|bias)", (r"ln_final.\1",)),
        Rule(r"text_projection\.weight", ("text_projection",), transform="transpose"),
        *_hugging_face("vision_model", "visual."),
        *_hugging_face("text_model", ""),
        Rule(r"(.+)", (r"\1",)),
    ),
    infer=infer,
    expected=expected,
    tags=tags,
)
