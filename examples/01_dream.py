"""Dream a small picture from Python and keep everything the run leaves.

Run: python examples/01_dream.py [PROMPT]
"""

from __future__ import annotations

import sys

from dreamplate.take import Take, console_listener, load_recipe, prepare_process, replace_fields, run


def main(prompt: str) -> None:
    prepare_process()  # before torch is imported
    from dreamplate.dream import DreamConfig, DreamJob

    config = replace_fields(load_recipe(DreamConfig, "quick", kind="dream"), {"prompt": prompt, "seed": 7})
    take = Take.create("out/example", "dream", config)
    result = run(DreamJob(config), take, listeners=[console_listener()])
    print(f"{result.path}: {result.status}, score {result.scalars['score']:.3f}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "a castle on a hill")
