import torch

from impasto.motion.ties import long_term_weights


def mask(*values: float) -> torch.Tensor:
    return torch.tensor(values).view(1, 1, 1, -1)


def test_each_place_is_tied_to_the_nearest_frame_that_shows_it() -> None:
    near, middle, far = mask(0, 1, 1, 1), mask(0, 0, 1, 1), mask(0, 0, 0, 1)
    weights = long_term_weights([near, middle, far])
    assert [weight.flatten().tolist() for weight in weights] == [
        [1, 0, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 1, 0],
    ]


def test_weights_never_add_up_to_more_than_one() -> None:
    holes = list(torch.rand(4, 1, 1, 6, 8))
    weights = torch.stack(long_term_weights(holes))
    assert float(weights.min()) >= 0
    assert float(weights.sum(0).max()) <= 1 + 1e-6


def test_no_earlier_frames_no_ties() -> None:
    assert long_term_weights([]) == []
