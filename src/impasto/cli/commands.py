"""The command line's own frame: name, version, commands."""

from __future__ import annotations

from cyclopts import App

from impasto.version import __version__

app = App(
    name="impasto",
    help="Repaint a picture in the style of another.",
    help_flags=(),  # `impasto.cli.help_pages` prints them
    version=f"impasto {__version__}",
    usage="Usage: impasto COMMAND [OPTIONS]",
    suppress_keyboard_interrupt=False,
)
"""The whole command line."""

_FILES = "in the current folder"
COMMANDS = {
    "painting_commands:stylize": (
        "CONTENT STYLE[:WEIGHT]... [-o OUT] [OPTIONS]",
        "Repaint a picture in the style of another, or of several.",
        f"Without -o the result is CONTENT-in-STYLE.png {_FILES}. Ctrl-C keeps the picture so far.",
    ),
    "painting_commands:texture": (
        "STYLE[:WEIGHT]... [-o OUT] [--size WxH] [OPTIONS]",
        "Paint the style alone, or several together, from noise.",
        f"Without -o the result is STYLE-texture.png {_FILES}.",
    ),
    "painting_commands:reconstruct": (
        "CONTENT --layer LAYER... [-o OUT] [OPTIONS]",
        "Paint the content from what single layers keep of it, from noise.",
        f"Without -o the result is CONTENT-from-LAYER.png {_FILES}.",
    ),
    "sheet_commands:try_": (
        "CONTENT STYLE [-o SHEET] [OPTIONS]",
        "Look before the wait: one picture, small, in several strengths and methods.",
        "Rows are stroke sizes, columns strengths; the last row has other methods. "
        "Every picture is captioned with the flags that make it. "
        f"Without -o the sheet is CONTENT-in-STYLE-tried.png {_FILES}.",
    ),
    "sheet_commands:explain": (
        "CONTENT STYLE [-o SHEET] [OPTIONS]",
        "Show what the network keeps of content and style, on one sheet.",
        "The founding figure (Gatys et al. 2015): the content rebuilt from conv1_2, conv2_2, "
        "conv3_2, conv4_2 and conv5_2, and the style rebuilt from conv1_1, then up to conv5_1. "
        f"Without -o the sheet is CONTENT-and-STYLE-explained.png {_FILES}.",
    ),
    "sheet_commands:sheet": (
        "--content FILE... --style FILE... [-o SHEET] [OPTIONS]",
        "Paint every content in every style, all on one sheet with captions.",
        f"Without -o the sheet is sheet.png {_FILES}.",
    ),
    "batch_command:batch": (
        "CONTENT... --styles STYLE... -o FOLDER [OPTIONS]",
        "Paint many pictures: folders, lists, every content in every style.",
        "The same command again goes on where the last one ended, however it ended. What cannot be "
        "painted is named at the end, and stops nothing; the exit code is then 1.",
    ),
    "studio_command:studio": (
        "[--port N] [OPTIONS]",
        "Open the studio: a page in the browser to paint in.",
        "Needs impasto[studio]. For this machine only, unless --host says more. Ctrl-C ends it.",
    ),
    "fact_commands:show": (
        "OUT [--json]",
        "Print the recipe inside a picture, and the command that makes it again.",
    ),
    "fact_commands:presets": ("[NAME] [--json]", "List the presets, or the settings of one."),
    "fact_commands:layers": (
        "[--json]",
        "List the layers of the network that losses can use, and what each one sees.",
    ),
    "fact_commands:weights": (
        "[FILE] [--json]",
        "Tell where the network's weights come from, and check them.",
    ),
    "fact_commands:doctor": (
        "[--json]",
        "Tell what impasto runs on here, and whether all is well.",
        "The exit code is 1 if it is not.",
    ),
    "bench_command:bench": (
        "[--sizes N,N...] [--json]",
        "Measure how fast this machine paints, and in how much memory.",
        "Takes up to 50 s. Other work on the machine meanwhile spoils the figures.",
    ),
}
"""Every command in the order of the help page: its function, its usage, and what it does.

They stand here, and not beside the functions, so that a help page imports only what it shows.
"""


def _add_commands() -> None:
    for path, (usage, *words) in COMMANDS.items():
        name = path.partition(":")[2].rstrip("_")
        app.command(
            f"impasto.cli.{path}",
            name=name,
            usage=f"Usage: impasto {name} {usage}",
            help="\n\n".join(words),
        )


_add_commands()
