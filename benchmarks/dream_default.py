"""What ``make dream`` costs: wall time, CPU time and peak memory of the default dream, as a user starts it.

Run: python benchmarks/dream_default.py [PROMPT]
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dreamplate.take import describe_machine


def main(prompt: str) -> None:
    program = Path(sys.executable).with_name("dreamplate")
    with tempfile.TemporaryDirectory() as folder:
        take = Path(folder) / "take"
        began = time.monotonic()
        subprocess.run(
            [str(program), "dream", prompt, "--seed", "7", "--quiet", "--take", str(take)], check=True
        )
        wall = time.monotonic() - began
        metrics = json.loads((take / "metrics.json").read_text())
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(json.dumps(describe_machine()))
    print(f"prompt      {prompt}")
    print(f"steps       {metrics['steps']}")
    print(f"wall        {wall:.1f} s, start-up included")
    print(f"cpu         {used.ru_utime + used.ru_stime:.1f} s")
    print(f"peak memory {used.ru_maxrss / 2**20:.2f} GiB")
    print(f"score       {metrics['scalars']['score']:.3f}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "a lighthouse in a storm")
