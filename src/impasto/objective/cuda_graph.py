"""On NVIDIA devices: one evaluation of an objective, recorded once and replayed at every step.

A step is some two hundred small launches; replayed as one graph they no longer wait for Python.
"""

from __future__ import annotations

import torch
from torch import Tensor

from impasto.losses.features import feature_losses_in
from impasto.losses.style import takes_roots
from impasto.objective.objective import Evaluation, Objective

_WARM_UP = 3  # evaluations before the recording, as PyTorch's documentation asks for


class CapturedObjective:
    """An objective for pictures of one size, recorded as a CUDA graph.

    Args:
        objective: works on the whole picture at once; its tensors stay on the device.
        picture: (1, 3, H, W): any picture of that size, on the device.
    """

    def __init__(self, objective: Objective, picture: Tensor) -> None:
        self._objective = objective  # the recording reads its tensors: they must stay
        self._picture = picture.clone()
        stream = torch.cuda.Stream(picture.device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(picture.device))
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UP):
                objective(self._picture)
        torch.cuda.current_stream(picture.device).wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(picture.device), torch.cuda.graph(self._graph, stream=stream):
            self._evaluation = objective(self._picture)

    def __call__(self, picture: Tensor) -> Evaluation:
        """As the objective itself."""
        self._picture.copy_(picture)
        self._graph.replay()
        terms = {name: value.clone() for name, value in self._evaluation.terms.items()}
        return Evaluation(terms, self._evaluation.gradient.clone())


def capture_graph(objective: Objective, picture: Tensor) -> Objective | CapturedObjective:
    """Records the objective where that is possible; returns it as it is elsewhere."""
    if picture.device.type != "cuda":
        return objective
    names = objective.settings.style_loss
    if takes_roots(names):  # eigen-decompositions wait for the device
        return objective
    if feature_losses_in(names):  # never tried; they sort, and draw on the host
        return objective
    try:
        return CapturedObjective(objective, picture)
    except RuntimeError:  # an operation that cannot be recorded, or too little memory for it
        torch.cuda.synchronize(picture.device)
        return objective
