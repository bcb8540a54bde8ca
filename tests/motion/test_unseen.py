import pytest
import torch
from torch import Tensor

from impasto.motion.flow import find_flow

SIDE = 128
WALL = slice(32, 96)
"""Rows and columns of a part that shows motion nowhere, or across its edges alone."""


def room(wall: str, shift: tuple[float, float], seed: int) -> Tensor:
    """A textured room with a wall that is plain or striped, moved by a shift, with grain."""
    rows = torch.arange(SIDE)[:, None] - shift[1]
    columns = torch.arange(SIDE)[None] - shift[0]
    generator = torch.Generator().manual_seed(1)
    texture = torch.zeros(SIDE, SIDE)
    for across, down, phase in (torch.rand(40, 3, generator=generator) - 0.5).tolist():
        texture += torch.cos(1.4 * (across * columns + down * rows) + 6.3 * phase)
    texture = 0.5 + 0.06 * texture
    inside = {"plain": torch.tensor(0.6), "striped": 0.5 + 0.3 * torch.sin(rows / 3)}[wall]
    texture[WALL, WALL] = inside.expand(SIDE, SIDE)[WALL, WALL] if inside.ndim else inside
    grain = 0.01 * torch.randn(SIDE, SIDE, generator=torch.Generator().manual_seed(seed))
    return (texture + grain).clamp(0, 1).expand(1, 3, SIDE, SIDE).contiguous()


@pytest.mark.parametrize("wall", ["plain", "striped"])
def test_what_shows_no_motion_moves_with_what_is_around_it(wall: str) -> None:
    shift = (0.8, 0.4)
    flow = find_flow(room(wall, (0, 0), seed=2), room(wall, shift, seed=3))
    inside = flow[..., 36:92, 36:92]
    off = inside - torch.tensor(shift).view(1, 2, 1, 1)
    assert float(off.square().mean().sqrt()) < 0.15


def test_what_shows_its_motion_keeps_it_beside_a_wall_that_stands_still() -> None:
    still, moved = room("plain", (0, 0), seed=2), room("plain", (0, 0), seed=3)
    thing = room("striped", (0, 0), seed=4)[..., 33:63, 0:30]  # the room's texture
    still[..., 50:80, 40:70] = thing
    moved[..., 50:80, 44:74] = thing
    flow = find_flow(still, moved)[..., 55:75, 45:65]
    assert float((flow - torch.tensor((4.0, 0.0)).view(1, 2, 1, 1)).abs().mean()) < 0.1
