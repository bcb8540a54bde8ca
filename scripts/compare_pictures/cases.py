"""What is painted and said: every case, as tables."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


BIN = Path(sys.executable).parent


PRECISIONS = ("float32", "bfloat16")


STEADY = {"OMP_NUM_THREADS": "1", "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}


PHOTO, FACE, WAVES = (
    f"inputs/{name}.jpg" for name in ("photos/china", "photos/astronaut", "styles/waves")
)


BASE: Mapping[str, Any] = {"size": 96, "levels": 2, "iterations": (3, 2)}


Steps = Generator[Any, None, Any]


ALONE: Mapping[str, list[Any]] = tomllib.loads("""
preset = ["default", "fast", "fine", "neighbors"]
style_loss = ["gram", "covariance", "wasserstein", "mean-std", "sliced", "neighbors",
              "covariance,wasserstein=0.5,sliced=0.3"]
content_loss = ["features", "self-similarity"]
color = ["content", "match", "histogram"]
strength = [0, 0.7, 1]
start = ["noise", "mixed", "style", "inputs/photos/astronaut.jpg"]
optimizer = ["adam"]
pooling = ["avg"]
padding = ["zeros"]
style_scale = [0.5, 2]
style_crop = ["0,0,1,0.6"]
style_margin = [0, 0.2]
step_size = [40]
history = [1]
levels = [1, 3]
size = [97]
stop_loss = [13.2]
content_weight = [0]
style_weight = [0]
total_variation_weight = [0, 50]
style_layers = ["relu1_1,conv5_1=0.2"]
content_layers = ["conv2_1,relu5_1=0.5"]
style = ["inputs/styles"]
""")
"""Stylized pictures in which one setting differs from `BASE`."""


KINDS: Mapping[str, dict[str, dict[str, Any]]] = tomllib.loads("""
[stylize]
"gatys" = {preset="gatys", levels=1, iterations=4}
"course" = {preset="course", levels=1, iterations=4}
"neural-style" = {preset="neural-style", levels=1, iterations=4}
"as gatys" = {normalization="gatys", style_loss="gram", content_loss="features"}
"as course" = {normalization="course", style_loss="gram", content_loss="features"}
"as neural-style" = {normalization="neural-style", style_loss="gram", content_loss="features"}
"as sums" = {normalization="sums", style_loss="gram", content_loss="features", style_weight=1e-9}
"white noise" = {start="noise", noise="normal", seed=7}
"uniform noise" = {start="noise", noise="uniform", seed=7}
"faint noise" = {start="noise", noise="faint", seed=7}
"mixed" = {start="mixed", noise_share=0.2, optimizer="adam", step_size=8, seed=3}
"seed of sliced" = {style_loss="sliced", seed=11}
"match from" = {color="match", color_from="inputs/styles/glass.jpg", color_amount=0.5}
"histogram from" = {color="histogram", color_from="inputs/styles/glass.jpg", color_amount=0.7}
"content in part" = {color="content", color_amount=0.6}
"blended" = {style_blend=[2, 1], style_scale=[1, 2], style=["inputs/styles/waves.jpg",
  "inputs/styles/ink.jpg", "inputs/styles/flow.jpg"]}
"regions" = {feather=0.1, regions=[["inputs/mask.png", "inputs/styles/ink.jpg"],
  ["inputs/corner.png", "none"]]}
"region alone" = {style="none", regions=[["inputs/mask.png", "inputs/styles/glass.jpg"]]}
"small region" = {regions=[["inputs/dot.png", "inputs/styles/ink.jpg"]]}
"keep" = {keep="inputs/mask.png", content="inputs/photos/astronaut.jpg"}
"maps" = {maps=["inputs/map.png", "inputs/style-map.png"]}
"maps and region" = {maps=["inputs/map.png", "inputs/style-map.png"], color="match", regions=[
  ["inputs/corner.png", "inputs/styles/ink.jpg"]]}
"seamless" = {seamless=true}
"own size" = {content="inputs/small.png", size=0, levels=1}
"sixteen bits.png" = {content="inputs/deep.png"}
"sixteen bits.tif" = {content="inputs/deep.tif"}
"alpha.png" = {content="inputs/cut-out.png"}
"alpha.webp" = {content="inputs/cut-out.png", style="inputs/cut-out.png"}
"alpha.jpg" = {content="inputs/cut-out.png", style="inputs/styles/glass.jpg"}
"turned" = {content="inputs/turned.jpg"}
"tiled" = {tiled=true}
"tiled seamless" = {tiled=true, seamless=true}
"tiled regions" = {tiled=true, regions=[["inputs/mask.png", "inputs/styles/ink.jpg"]]}
"tiled deep" = {size=320, levels=1, iterations=1, memory="800MB"}
"too large" = {size=2048, memory="800MB", style_loss="neighbors"}
"two threads" = {threads=2}
[texture]
"texture" = {}
"texture seamless" = {size=[96, 64], seamless=true}
"texture expanded" = {style="inputs/small.png", size=[96, 80], expand=true}
"texture blended.tif" = {style_blend=[1, 3], seed=5, style=["inputs/styles/ink.jpg",
  "inputs/styles/flow.jpg"]}
"texture in colours" = {color="match", color_from="inputs/styles/glass.jpg"}
"texture neighbors" = {style="inputs/styles/glass.jpg", preset="neighbors"}
"texture tiled" = {tiled=true, size=[448, 448], seamless=true}
[reconstruct]
"rebuilt default" = {}
"rebuilt conv1_1" = {layers="conv1_1", optimizer="adam", step_size=5}
"rebuilt many" = {layers=["conv3_2", "relu5_1=0.2"], padding="zeros", seed=2}
""")
"""What else differs from `BASE`. The pictures of ``tiled`` are worked on in tiles, in the least
memory that may be asked for, and with shallow layers so that they are soon done."""

KINDS["stylize"].update({f"{key} {x}": {key: x} for key, some in ALONE.items() for x in some})

TILED: Mapping[str, Any] = {
    "size": 448, "levels": 1, "iterations": 2, "memory": "800MB",
    "content_layers": "relu2_2", "style_layers": "relu1_1,relu2_1",
}  # fmt: skip


RESUMED = {
    "stylize": ("preset default", "style_loss neighbors", "mixed", "maps and region", "keep"),
    "texture": ("texture seamless",),
    "reconstruct": ("rebuilt many",),
}
"""Those that are broken off after some steps, too, and resumed from a checkpoint."""


CONSOLE = """
stylize: stylize {china} {waves} --json --record a.gif --plot b.png --log c.jsonl -o out.png {base}
stylize: show out.png
stylize: show out.png --json
stylize: stylize {china} {waves} --like out.png --seed 4 -o like.png {where}
regions: stylize {china} {waves}:2 {flow} --region {in}/mask.png:{ink} --keep {in}/corner.png \
--region {in}/corner.png:none --feather 0.05 -o out.webp {base}
regions: show out.webp
maps: stylize {china} {flow} --map {in}/map.png {in}/style-map.png -o out.jpg {base}
small: stylize {china} {flow} --region {in}/dot.png:{ink} -o out.png {base}
named: stylize {face} {flow} {ink} --quiet {base}
streams: stylize - {ink} -o - --color content {base}
texture: texture {waves} --seamless --size 96x64 --iterations 3,2 -o out.tif --log a.jsonl \
--checkpoint run.safetensors {where}
texture: texture {waves} --resume run.safetensors -o again.png {where}
reconstruct: reconstruct {china} --layer conv3_2 conv4_2=0.5 {base}
explain: explain {china} {waves} -o out.png --size 64 --iterations 2 {where}
sheet: sheet --content {china} {face} --style {ink} {flow} --cells . {base}
try: try {face} {glass} -o out.png --size 64 --iterations 2,1 {where}
batch: batch {in}/photos --styles {ink} {waves} -o made --gallery --json --workers 1 {base}
batch: batch {in}/photos --styles {ink} {waves} -o made --workers 1 {base}
batch: batch --status made --json
batch: batch {in}/list.csv -o listed --name {{content}}-{{strength}}.tif --workers 1 {base}
"""
"""Commands that paint: those of a name in turn, in a folder of its own, in both precisions."""


COMMANDS = """stylize texture reconstruct try explain sheet batch studio show presets layers weights
doctor bench"""


TOLD = """

--help
--version
presets --json
layers
layers --json
weights
stylize
paint
batch {china}
show {china}
sheet --style {ink}
texture {waves} --size 0x4
reconstruct {china} --layer conv9_9
stylize gone.jpg {waves}
stylize {china} {in}/list.csv
stylize {china} {waves} --size many
stylize {china} {waves} --strenth 1
stylize {china} {waves} --preset gaty --json
stylize {china} {waves} --resume {china}
stylize {china} {waves} --keep {in}/mask.png --seamless
"""
"""Commands that only tell something, or refuse."""
