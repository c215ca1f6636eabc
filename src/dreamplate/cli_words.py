"""``dreamplate caption`` and ``dreamplate probe``: words for pictures, and what a scorer makes of both."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from tyro.conf import OmitArgPrefixes, Positional, arg

from dreamplate.errors import ConfigError, MediaError

if TYPE_CHECKING:
    from dreamplate.dream.probe import PictureProbe, TextProbe

PICTURES = (".exr", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".dpx", ".hdr", ".webp")


@dataclass(frozen=True)
class CaptionOutput:
    """How captions are printed."""

    json: bool = False
    """Print JSON: for each picture a list of captions with their scores."""
    threads: int | None = None
    """Processor threads."""


@dataclass(frozen=True)
class ProbeCommand:
    """Show what a scorer makes of a prompt or of a picture, as text and as a picture.

    A prompt: what it is confused with, how clear it is, which words carry it. A picture: what is seen, where,
    and what the scorer sees in everything.
    """

    subject: Positional[str]
    """Words in quotation marks, parts separated by |, or the path of a picture."""
    scorer: str = "bridge"
    """What is asked: bridge, clip:MODEL, or several joined by +."""
    out: Path | None = None
    """Where the report goes; out/probe-NAME.png when not given."""
    top: int = 12
    """How many concepts are named."""
    json: bool = False
    """Print JSON in place of text."""
    threads: int | None = None
    """Processor threads."""


def caption(arguments: list[str]) -> int:
    """``dreamplate caption PICTURE``."""
    from dreamplate.cli_run import _take_flag
    from dreamplate.dream.caption_config import CaptionConfig
    from dreamplate.take import check, load_recipe, prepare_process

    recipe, rest = _take_flag(arguments, "--recipe")
    default = load_recipe(CaptionConfig, recipe, kind="caption") if recipe else CaptionConfig()
    command = make_dataclass(
        "Command",
        [
            ("pictures", Annotated[Positional[tuple[Path, ...]], arg(help="Pictures to describe.")]),
            ("config", Annotated[CaptionConfig, arg(name="")], field(default=default)),
            ("output", OmitArgPrefixes[CaptionOutput], field(default=CaptionOutput())),
        ],
        frozen=True,
    )
    command.__doc__ = (
        f"{CaptionConfig.__doc__}\n\n--recipe NAME starts from phrases, glass-gpt2 or a YAML file."
    )
    asked: Any = tyro.cli(command, prog="dreamplate caption", args=rest)
    config = check(asked.config, source="command line")
    if not asked.pictures:
        raise ConfigError("no picture is given: write dreamplate caption PICTURE")
    prepare_process(asked.output.threads)
    from dreamplate.dream.caption import Captioner
    from dreamplate.dream.pictures import picture_tensor
    from dreamplate.dream.scorers import load_scorer

    images = [picture_tensor(path, expose=True) for path in asked.pictures]
    captioner = Captioner(config, load_scorer(config.scorer))
    found = {str(path): captioner(image) for path, image in zip(asked.pictures, images, strict=True)}
    if asked.output.json:
        rows = {
            path: [
                {"caption": c.text, "score": round(c.score, 4), "evidence": round(c.evidence, 3)}
                for c in made
            ]
            for path, made in found.items()
        }
        _print(json.dumps(rows, indent=2, ensure_ascii=False))
        return 0
    for path, made in found.items():
        if len(found) > 1:
            _print(path)
        _print("\n".join(f"{c.score:6.3f}  {c.text}" for c in made))
    return 0


def probe(arguments: list[str]) -> int:
    """``dreamplate probe PROMPT_OR_PICTURE``."""
    from dreamplate.take import prepare_process

    asked = tyro.cli(ProbeCommand, prog="dreamplate probe", args=arguments)
    if not 2 <= asked.top <= 60:
        raise ConfigError(f"top is {asked.top}: choose 2 to 60")
    picture = _is_picture(asked.subject)
    out = (
        asked.out
        or Path("out") / f"probe-{_slug(Path(asked.subject).stem if picture else asked.subject)}.png"
    )
    if out.suffix.lower() != ".png":
        raise ConfigError(f"out is {out}: the report is a PNG picture; name it .png")
    prepare_process(asked.threads)
    lines, data, page = (_probe_picture if picture else _probe_text)(asked)
    from dreamplate.files import raise_os_error
    from dreamplate.plate import write

    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise_os_error(error, out.parent, MediaError)
    write(page, out)
    _print(json.dumps(data | {"report": str(out)}, indent=2, ensure_ascii=False) if asked.json else lines)
    if not asked.json:
        _print(f"\nreport: {out}")
    return 0


def _is_picture(subject: str) -> bool:
    """Whether the subject of a probe is a file.

    Raises:
        MediaError: It looks like one and is not there.
    """
    try:
        found = Path(subject).is_file()
    except (OSError, ValueError):  # too long a prompt to be a name
        found = False
    if not found and " " not in subject and subject.lower().endswith(PICTURES):
        raise MediaError(f"{subject}: no such picture; check the path")
    return found


def _probe_text(asked: ProbeCommand) -> tuple[str, dict[str, Any], Any]:
    from dataclasses import asdict

    from dreamplate.dream.probe import Probe
    from dreamplate.dream.probe_report import draw_texts
    from dreamplate.dream.prompts import parse_prompt
    from dreamplate.dream.scorers import load_scorer

    targets = parse_prompt(asked.subject)
    asker = Probe(load_scorer(asked.scorer))
    probes = [asker.text(target.text, asked.top) for target in targets]
    page = draw_texts(probes, len(asker.concepts))
    return "\n\n".join(map(describe_text, probes)), {"prompts": [asdict(p) for p in probes]}, page


def _probe_picture(asked: ProbeCommand) -> tuple[str, dict[str, Any], Any]:
    from dataclasses import asdict

    from dreamplate.dream.pictures import picture_tensor
    from dreamplate.dream.probe import Probe
    from dreamplate.dream.probe_report import draw_picture
    from dreamplate.dream.scorers import load_scorer

    image = picture_tensor(asked.subject, expose=True)
    asker = Probe(load_scorer(asked.scorer))
    found = asker.picture(image, asked.top)
    page = draw_picture(found, image, Path(asked.subject).name, len(asker.concepts))
    where = {name: _where(heat) for name, heat in zip(found.shown, found.maps, strict=True)}
    data = {
        "picture": asked.subject,
        "scorer": found.scorer,
        "seen": [asdict(seen) for seen in found.seen],
        "obsessions": [asdict(seen) for seen in found.obsessions],
        "where": where,
    }
    return describe_picture(found, where), data, page


def describe_text(probe: TextProbe) -> str:
    """Return a prompt's probe as text."""
    from dreamplate.dream.probe_report import clarity

    width = max(len(found.concept) for found in probe.nearest)
    lines = [f"{probe.prompt}", "", "  could be taken for"]
    lines += [f"    {found.concept:<{width}}  {found.agreement:5.2f}" for found in probe.nearest]
    lines += ["", "  carried by"]
    lines += [f"    {word.word:<{width}}  {word.weight:5.2f}" for word in probe.words] or [
        "    a single word"
    ]
    lines += [""]
    lines += [f"  {name:<10}{value:>6}  {meaning}" for name, value, meaning in clarity(probe)]
    return "\n".join(lines)


def describe_picture(probe: PictureProbe, where: dict[str, dict[str, float]]) -> str:
    """Return a picture's probe as text."""
    width = max(len(seen.concept) for seen in (*probe.seen, *probe.obsessions))
    lines = ["  sees"]
    for seen in probe.seen:
        place = where.get(seen.concept)
        at = f"  strongest at {place['x']:.0%} across, {place['y']:.0%} down" if place else ""
        lines.append(f"    {seen.concept:<{width}}  {seen.agreement:5.2f}{at}")
    lines += ["", "  sees in everything" + " " * max(1, width - 14) + "nothing   here"]
    lines += [f"    {s.concept:<{width}}  {s.everywhere:5.2f}  {s.agreement:5.2f}" for s in probe.obsessions]
    return "\n".join(lines)


def _where(heat: Any) -> dict[str, float]:
    """Return where a map is hottest, as shares of the width and the height, and how hot."""
    height, width = heat.shape
    row, column = divmod(int(heat.argmax()), width)
    return {"x": (column + 0.5) / width, "y": (row + 0.5) / height, "heat": float(heat.max())}


def _slug(text: str) -> str:
    name = "-".join("".join(c if c.isalnum() else " " for c in text.lower()).split())[:48].strip("-")
    return name or "probe"


def _print(text: str) -> None:
    print(text)  # noqa: T201
