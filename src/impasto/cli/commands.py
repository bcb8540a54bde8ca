"""Every command: what it is called, what it does, and where its function is."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from cyclopts import App, Parameter

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


@dataclass(frozen=True)
class Command:
    """A command, as its help page shows it.

    Attributes:
        name: what is typed behind ``impasto``.
        function: ``module:function``. It is imported when its flags are needed, so that a help
            page imports only what it shows.
        usage: what can stand behind the name.
        summary: what the command does, for the front page.
        details: what else there is to know; may be empty.
    """

    name: str
    function: str
    usage: str
    summary: str
    details: str = ""


_FILES = "in the current folder"
COMMANDS = {
    "Paint": (
        Command(
            "stylize",
            "impasto.cli.painting_commands:stylize",
            "CONTENT STYLE[:WEIGHT]... [-o OUT] [OPTIONS]",
            "Repaint a picture in the style of another, or of several.",
            f"Without -o the result is CONTENT-in-STYLE.png {_FILES}. "
            "Ctrl-C keeps the picture so far.",
        ),
        Command(
            "proof",
            "impasto.cli.proof_command:proof",
            "CONTENT STYLE[:WEIGHT]... [-o SHEET] [--print SHEET] [--at X,Y]... [OPTIONS]",
            "See crops of a large picture, as they will be, before the wait.",
            "Takes the options of stylize. With --checkpoint FILE, impasto stylize --resume FILE "
            "goes on from there to the whole picture. "
            f"Without -o the sheet is CONTENT-in-STYLE-proof.png {_FILES}.",
        ),
        Command(
            "texture",
            "impasto.cli.painting_commands:texture",
            "STYLE[:WEIGHT]... [-o OUT] [--size WxH] [OPTIONS]",
            "Paint the style alone, or several together, from noise.",
            f"Without -o the result is STYLE-texture.png {_FILES}.",
        ),
        Command(
            "reconstruct",
            "impasto.cli.painting_commands:reconstruct",
            "CONTENT --layer LAYER... [-o OUT] [OPTIONS]",
            "Paint the content from what single layers keep of it, from noise.",
            f"Without -o the result is CONTENT-from-LAYER.png {_FILES}.",
        ),
        Command(
            "try",
            "impasto.cli.sheet_commands:try_",
            "CONTENT STYLE [-o SHEET] [OPTIONS]",
            "Look before the wait: one picture, small, in several strengths and methods.",
            "Rows are stroke sizes, columns strengths; the last row has other methods. "
            "Every picture is captioned with the flags that make it. "
            f"Without -o the sheet is CONTENT-in-STYLE-tried.png {_FILES}.",
        ),
        Command(
            "explain",
            "impasto.cli.sheet_commands:explain",
            "CONTENT STYLE [-o SHEET] [OPTIONS]",
            "Show what the network keeps of content and style, on one sheet.",
            "The founding figure (Gatys et al. 2015): the content rebuilt from conv1_2, conv2_2, "
            "conv3_2, conv4_2 and conv5_2, and the style rebuilt from conv1_1, then up to conv5_1. "
            f"Without -o the sheet is CONTENT-and-STYLE-explained.png {_FILES}.",
        ),
        Command(
            "sheet",
            "impasto.cli.sheet_commands:sheet",
            "--content FILE... --style FILE... [-o SHEET] [OPTIONS]",
            "Paint every content in every style, all on one sheet with captions.",
            f"Without -o the sheet is sheet.png {_FILES}.",
        ),
        Command(
            "batch",
            "impasto.cli.batch_command:batch",
            "CONTENT... --styles STYLE... -o FOLDER [OPTIONS]",
            "Paint many pictures: folders, lists, every content in every style.",
            "The same command again goes on where the last one ended, however it ended. What "
            "cannot be painted is named at the end, and stops nothing; the exit code is then 1.",
        ),
        Command(
            "video",
            "impasto.cli.video_command:video",
            "FILM STYLE[:WEIGHT]... [-o OUT] [OPTIONS]",
            "Repaint a film without flicker, with its sound and its times.",
            "Needs impasto[video]. Painted frames lie in OUT.impasto until the film is there: the "
            "same command goes on after Ctrl-C or a crash. Without -o the film is "
            f"FILM-in-STYLE.mp4 {_FILES}.",
        ),
        Command(
            "train",
            "impasto.cli.train_command:train",
            "STYLE... [-o OUT.safetensors] [OPTIONS]",
            "Train a network that paints in a style at once, in minutes.",
            "The file that it writes is a style: impasto stylize PHOTO OUT.safetensors. Ctrl-C "
            f"keeps the best network so far. Without -o it is STYLE.safetensors {_FILES}.",
        ),
        Command(
            "export",
            "impasto.cli.export_command:export",
            "MODEL -o OUT [OPTIONS]",
            "Write a model as ONNX, or as a page that paints in any browser.",
            ".html is one file that works without a network: by WebGPU, WebGL or WebAssembly, "
            "whichever is quickest there. .onnx is for other programs; it needs impasto[onnx], and "
            "what it paints is compared with PyTorch before it is written.",
        ),
        Command(
            "studio",
            "impasto.cli.studio_command:studio",
            "[--port N] [OPTIONS]",
            "Open the studio: a page in the browser to paint in.",
            "Needs impasto[studio]. For this machine only, unless --host says more. "
            "Ctrl-C ends it.",
        ),
    ),
    "Tell": (
        Command(
            "show",
            "impasto.cli.fact_commands:show",
            "OUT [--json]",
            "Print the recipe inside a picture or a film, and the command that makes it again.",
        ),
        Command(
            "presets",
            "impasto.cli.fact_commands:presets",
            "[NAME] [--json]",
            "List the presets, or the settings of one.",
        ),
        Command(
            "layers",
            "impasto.cli.fact_commands:layers",
            "[--json]",
            "List the layers of the network that losses can use, and what each one sees.",
        ),
        Command(
            "weights",
            "impasto.cli.fact_commands:weights",
            "[FILE] [--json]",
            "Tell where the network's weights come from, and check them.",
        ),
        Command(
            "doctor",
            "impasto.cli.fact_commands:doctor",
            "[--json]",
            "Tell what impasto runs on here, and whether all is well.",
            "The exit code is 1 if it is not.",
        ),
        Command(
            "bench",
            "impasto.cli.bench_command:bench",
            "[--sizes N,N...] [--json]",
            "Measure how fast this machine paints, and in how much memory.",
            "Takes up to 50 s. Other work on the machine meanwhile spoils the figures.",
        ),
    ),
}
"""All commands, by the heading they stand under on the front page."""

for _command in itertools.chain(*COMMANDS.values()):
    app.command(
        _command.function,
        name=_command.name,
        usage=f"Usage: impasto {_command.name} {_command.usage}",
        help=f"{_command.summary}\n\n{_command.details}".strip(),
        default_parameter=Parameter(negative_bool=(), negative_iterable=()),
    )


def flags_of(command: str) -> set[str]:
    """The flags that a command has; none where there is no such command."""
    if command not in app:
        return set()
    return {name for one in app[command].assemble_argument_collection() for name in one.names}
