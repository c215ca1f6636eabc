"""From photographs to space: find cameras, learn a space, render passes of a camera move, make a mesh.

The photographs are of a still life that tools/still_life.py traces, so the cameras are known exactly, and
what structure from motion finds can be held against them.

Run: python examples/04_space.py [PHOTOGRAPHS [CPU_SECONDS]]   (36 and 30; 180 look better)
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))


def main(photographs: int, seconds: float) -> None:
    from dreamplate.take import Take, prepare_process, run

    prepare_process()  # before torch is imported
    from still_life import make

    from dreamplate.cli import main as dreamplate
    from dreamplate.fields import FitConfig, FitJob, RenderConfig
    from dreamplate.jobs import start
    from dreamplate.plate import read
    from dreamplate.scenes import CaptureConfig, read_scene
    from dreamplate.scenes.capture import capture
    from dreamplate.scenes.capture_world import align

    # Photographs, scene-linear EXR with alpha; what is beside them says how they were really taken.
    truth = read_scene(make(Path("still"), photographs, (320, 240), alpha=True))

    # Cameras, from the photographs alone.
    found = capture(CaptureConfig(Path("still/images"), Path("shot"), overwrite=True)).scene
    true = {view.name: view.camera.position for view in truth.views}
    there = np.stack([true[view.name] for view in found.views])
    here = np.stack([view.camera.position for view in found.views])
    scale, rotation, shift = align(here, there)
    off = np.linalg.norm(scale * here @ rotation.T + shift - there, axis=1) / np.ptp(there, axis=0).max()
    print(f"{len(here)} of {photographs} cameras found, centres off by {np.median(off):.3%} of their spread")

    # A space, learnt in scene-linear light. Its take is all that the rest needs.
    config = FitConfig(Path("shot").absolute(), max_cpu_seconds=seconds, loss="log")
    take = Take.create("out/shot", "fit", config, overwrite=True)
    print(f"held-out views: {run(FitJob(config), take).scalars['psnr']:.1f} dB")

    # Four frames of an orbit, every pass in one EXR each.
    orbit = RenderConfig(
        Path("out/shot"), path="orbit", path_frames=4, out=Path("out/orbit.####.exr"), sheet=True
    )
    start("render", orbit, "out/orbit.take", overwrite=True)
    frame = read("out/orbit.1001.exr")
    print(f"out/orbit.1001.exr: {', '.join(frame.channels)}; light up to {frame.rgb().max():.1f}")

    # A mesh with a texture, in the world of the capture.
    options = ["--faces", "20000", "--texture", "512", "--resolution", "128", "--preview", "out/mesh.png"]
    sys.exit(dreamplate(["mesh", "out/shot", "--out", "out/shot.glb", *options]))


if __name__ == "__main__":
    given = sys.argv[1:]
    main(int(given[0]) if given else 36, float(given[1]) if len(given) > 1 else 30.0)
