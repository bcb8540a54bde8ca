"""The commands that tell what impasto has and runs on."""

from __future__ import annotations

import importlib.metadata
import json

import pytest
import torch

import impasto
from impasto.cli.exit_codes import run_command
from impasto.layers import LAYER_NAMES, convolution_shapes
from impasto.network.weights import EMBEDDED_SHA256
from impasto.settings.model import Settings
from impasto.settings.presets import PRESETS


def test_layers(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["layers", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    names = {name for layer in facts for name in (layer["convolution"], layer["relu"])}
    assert names == set(LAYER_NAMES)
    channels = [(layer["convolution"], layer["channels"]) for layer in facts]
    assert channels == [(name, outputs) for name, _, outputs in convolution_shapes()]
    assert run_command(["layers"]) == 0
    assert "conv5_1      relu5_1     512       16             156" in capsys.readouterr().out


def test_presets(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["presets"]) == 0
    text = capsys.readouterr().out
    for name, preset in PRESETS.items():
        assert name in text
        assert preset.summary in text
        assert preset.source in text
    assert run_command(["presets", "gatys", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == Settings(preset="gatys").model_dump(mode="json")
    assert run_command(["presets", "gatys"]) == 0
    rows = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()[3:])
    assert rows["pooling"].split() == ["avg", "max"]
    assert run_command(["presets", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == set(PRESETS)


def test_weights(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["weights", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["sha256"], facts["parameters"]) == (EMBEDDED_SHA256, 20_024_384)
    assert run_command(["weights"]) == 0
    assert "parameters           20,024,384" in capsys.readouterr().out


def test_doctor_is_well_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["doctor", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["problems"] == []
    assert facts["versions"]["impasto"] == impasto.__version__
    assert facts["versions"]["torch"] == importlib.metadata.version("torch")
    assert facts["device"]["precision"].split()[0] in ("float32", "bfloat16")
    assert facts["threads"]["used"] == torch.get_num_threads()
    assert facts["weights"]["sha256"] == EMBEDDED_SHA256
    assert facts["memory"]["total"] > facts["memory"]["free"] > 0
    assert set(facts["extras"]) == {"video", "plot", "cluster", "heic", "onnx", "studio"}
    assert run_command(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "nothing is ever fetched" in text
    assert text.splitlines()[-1].split() == ["problems", "none"]
