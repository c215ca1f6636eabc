"""Many dreams from one config: prompt files, wildcards and seeds."""

from __future__ import annotations

from dreamplate.dream.config import DreamConfig
from dreamplate.dream.prompts import expand_prompt
from dreamplate.errors import ConfigError
from dreamplate.take.config import replace_fields


def prompts_of(config: DreamConfig) -> tuple[str, ...]:
    """Return every prompt that a config makes pictures of: those of its file, wildcards chosen.

    Raises:
        ConfigError: The file cannot be read or holds no prompt, or there is a prompt besides it.
    """
    if config.prompts is None:
        return expand_prompt(config.prompt)
    if config.prompt:
        raise ConfigError(f"prompt and prompts ({config.prompts}) are both set: give one of them")
    try:
        text = config.prompts.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is not UTF-8 text"
        raise ConfigError(
            f"{config.prompts}: {reason}; give a text file with a prompt on every line"
        ) from error
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines:
        raise ConfigError(f"{config.prompts}: has no prompt; write one on every line")
    return tuple(prompt for line in lines for prompt in expand_prompt(line))


def plan_dreams(config: DreamConfig) -> list[DreamConfig]:
    """Cut a config into one for each prompt and seed; each is a run of its own.

    With ``batch`` pictures a run, seeds go up by that many from run to run.
    """
    prompts = prompts_of(config)
    return [
        replace_fields(
            config,
            {"prompt": prompt, "prompts": None, "seed": config.seed + number * config.batch, "count": 1},
        )
        for prompt in prompts
        for number in range(config.count)
    ]
