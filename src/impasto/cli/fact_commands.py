"""The commands that tell what impasto has and runs on: presets, layers, weights, doctor."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from impasto.cli.tables import AsJson, flat_rows, print_json, print_table
from impasto.layers import layer_facts
from impasto.settings.model import Settings
from impasto.settings.presets import PRESETS
from impasto.settings.wording import setting_text


def presets(
    name: Annotated[str | None, Parameter(help="Print the settings of this one.")] = None,
    /,
    *,
    json: AsJson = False,
) -> None:
    """Behind ``impasto presets``; see `COMMANDS`."""
    if name is None:
        if json:
            print_json({key: {**preset.model_dump()} for key, preset in PRESETS.items()})
            return
        for key, preset in PRESETS.items():
            print(f"{key:14}{preset.summary}\n{'':14}source: {preset.source}")
        return
    settings = Settings(preset=name).model_dump(mode="json")
    if json:
        print_json(settings)
        return
    default = Settings().model_dump(mode="json")
    print(f"{name}: {PRESETS[name].summary}\nsource: {PRESETS[name].source}\n")
    rows = [("setting", name, "default" if name != "default" else "")]
    for key, value in settings.items():
        if key != "preset":
            differs = setting_text(default[key]) if value != default[key] else ""
            rows.append((key, setting_text(value), differs))
    print_table(rows)


def layers(*, json: AsJson = False) -> None:
    """Behind ``impasto layers``; see `COMMANDS`."""
    facts = layer_facts()
    if json:
        print_json([asdict(fact) for fact in facts])
        return
    heads = ("before ReLU", "after ReLU", "channels", "pixels a cell", "sees pixels", "least side")
    rows = [tuple(str(value) for value in asdict(fact).values()) for fact in facts]
    print_table([heads, *rows])


def weights(
    file: Annotated[Path | None, Parameter(help="A VGG-19 to check: .safetensors, .pth.")] = None,
    /,
    *,
    json: AsJson = False,
) -> None:
    """Behind ``impasto weights``; see `COMMANDS`."""
    from impasto.network.weights import describe_weights

    facts = describe_weights(file)
    if json:
        print_json(facts)
    else:
        print_table(flat_rows(facts))


def doctor(*, json: AsJson = False) -> int:
    """Behind ``impasto doctor``; see `COMMANDS`."""
    from impasto.diagnostics.doctor import examine

    facts = examine()
    if json:
        print_json(facts)
    else:
        print_table(flat_rows(facts))
    return 1 if facts["problems"] else 0
