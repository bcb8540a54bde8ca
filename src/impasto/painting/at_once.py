"""Pictures that a network paints at once: no levels, no losses, a single step.

A style's picture becomes a film that steers the base network; a model brings a network of its own.
Each region of the content is painted by the weighted mean of its styles' networks, at the size at
which their strokes are as large as they were trained to be. It is brought to the result's size by
doubling, and painted over after each.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor

from impasto.errors import SettingsError
from impasto.feedforward.base import BaseNetwork, load_base
from impasto.feedforward.model import FAINT, REPAINTED_SIDE, WORKING_SIDE
from impasto.feedforward.painter import Painter, size_that_repeats
from impasto.feedforward.repainting import detail_strength, repaint
from impasto.feedforward.style_code import CODE_LAYERS
from impasto.feedforward.upsampling import enlarge
from impasto.machine.compute import Compute, Machine
from impasto.machine.memory import release_memory
from impasto.network.encoder import Encoder
from impasto.network.weights import EMBEDDED_SHA256, Weights, load_weights
from impasto.objective.describer import Describer
from impasto.painting.memory_plan import MemoryPlan
from impasto.painting.step import MoveCount, Step
from impasto.pictures.color_transfer import WeightedColors, linear_transfer
from impasto.pictures.resizing import Size, fit, resize
from impasto.settings.limits import LARGEST_SIDE
from impasto.tasks.checks import check, check_left_to_paint
from impasto.tasks.kept_mask import open_kept_mask
from impasto.tasks.regions import RegionStyle
from impasto.tasks.style_views import LevelViews
from impasto.tasks.styles import Style
from impasto.tasks.task import Task

BaseSource = str | os.PathLike[str] | BaseNetwork | None
"""The file of a base network, one that is loaded already, or None for the one in the package. It
paints the styles of pictures with the preset ``instant``."""

_SIDES = (96, 2048)  # of what a network paints first, whatever style_scale says
_LITTLE = 1.3  # times larger: no reason to paint once more
_TILE = 1024  # side of the parts in which a large picture of a style is looked at


@dataclass(frozen=True)
class NetworkRun:
    """A task that networks paint, and what they need for it.

    Attributes:
        task: what is to do.
        machine: where it runs.
        base: paints in the styles of pictures; None where all styles are models.
        vgg: looks at the styles' pictures; None as for ``base``.
        plans: none, as there are no levels.
        moved: never, as there is no optimiser.
    """

    task: Task
    machine: Machine
    base: BaseNetwork | None
    vgg: Weights | None
    plans: Sequence[MemoryPlan] = ()
    moved: MoveCount = field(default_factory=MoveCount)

    def __post_init__(self) -> None:
        """Check that the networks can be blended.

        Raises:
            SettingsError: they were not trained from one base network.
        """
        for region in self.task.painted_regions:
            bases = {}
            for style in self._styles(region.styles):
                bases[self._base_of(style)] = style.name if style.model else "the base network"
            if len(bases) > 1:
                first, second, *_ = bases.values()
                raise SettingsError(
                    f"{second} and {first} come of different base networks, and only those of one "
                    "can be blended; train one of them anew, or give one style alone"
                )

    @property
    def sizes(self) -> Sequence[Size]:
        """Height and width of the result, the only size."""
        return [self.task.final_size]

    def paint(self) -> Generator[Step, None, None]:
        """Paints, and yields the only step."""
        with self.machine.active(), torch.no_grad():
            pixels = self._pixels()
        yield Step(
            level=0,
            levels=1,
            iteration=1,
            iterations=1,
            progress=1.0,
            taken_back=0,
            level_done=True,
            pixels=pixels,
            terms={},
            run=self,
            _state=None,
            _optimizer=None,
            _moves=0,
        )

    def _pixels(self) -> Tensor:
        """The picture, (1, 3, H, W) of the result's size."""
        final = self.task.final_size
        regions = self.task.painted_regions
        painted = [region for region in regions if any(style.weight for style in region.styles)]
        if len(regions) == 1:  # its share is the content's alpha, and beneath that nothing is seen
            return self._painted(painted[0].styles, painted[0].share)
        whole: Tensor | None = None
        shares: Tensor | None = None
        for region in painted:
            share = torch.ones(1, 1, *final) if region.share is None else region.share
            share = resize(share, final).clamp(0, 1)
            if not share.any():
                continue  # other regions cover all of it
            part = self._painted(region.styles, share).cpu().mul_(share)
            whole = part if whole is None else whole.add_(part)
            shares = share if shares is None else shares.add_(share)
        content = self._content(final)
        if whole is None or shares is None:
            return content
        # Under alpha the shares do not add up to 1; what lacks is not seen, or stays as it is.
        return content.lerp(whole.div_(shares.clamp_min(1e-3)), shares.gt(0).float())

    def _painted(self, styles: Sequence[RegionStyle], share: Tensor | None) -> Tensor:
        """All of the picture painted in a blend, (1, 3, H, W) of the result's size.

        ``share`` is what will be seen of it; see `_in_colors`.
        """
        final, strength = self.task.final_size, self.task.settings.strength
        content = self._content(final)
        if not strength:
            return content
        periodic = self.task.settings.seamless
        size = self._working_size(styles)
        painter = self._painter(styles, size).to(self.machine.device, self.machine.painting_dtype)
        small = (content if size == final else self._content(size)).to(self.machine.device)
        painted = self._in_colors(styles, painter.paint(small, periodic=periodic), share)
        for larger in self._larger_sizes(size):
            shown = (content if larger == final else self._content(larger)).to(self.machine.device)
            painted = enlarge(painted, small, shown, periodic=periodic)
            if self._paints_over(size, larger):
                most = self._most_detail(styles, larger)
                painted = repaint(painter, painted, most=most, periodic=periodic)
            small = shown
            release_memory()
        if painted.shape[2:] != final:
            painted = resize(painted, final, periodic=periodic).clamp_(0, 1)
        if strength < FAINT:
            painted = content.to(painted.device).lerp(painted, strength / FAINT)
        return painted

    def _in_colors(
        self, styles: Sequence[RegionStyle], painted: Tensor, share: Tensor | None
    ) -> Tensor:
        """A painted picture with its colours moved towards those of the styles' pictures.

        A network for any style is near to each one's palette, and no more. The way that the colours
        go is as long as the strength says; models have learned their colours.

        Args:
            styles: of the region.
            painted: (1, 3, h, w).
            share: (1, 1, H, W), of any size: how much of each pixel will be seen; None for all.
        """
        everyone = self.task.all_styles
        taught = [one for one in styles if one.weight and everyone[one.number].model is None]
        seen = [(one.weight, *self.task.viewer.colors_of(one.number, one.mask)) for one in taught]
        counted = [(weight, pixels, counts) for weight, pixels, counts in seen if counts.sum() > 0]
        if not counted:
            return painted
        target = WeightedColors(
            torch.cat([pixels for _, pixels, _ in counted], 3),
            torch.cat([weight * counts / counts.sum() for weight, _, counts in counted], 3),
        )
        size = (painted.shape[2], painted.shape[3])
        visible = None if share is None else resize(share.cpu(), size).clamp(0, 1)
        move = linear_transfer(WeightedColors(painted.cpu(), visible), target)
        part = sum(one.weight for one in taught) / sum(one.weight for one in styles)
        return painted.lerp(move(painted), part * max(FAINT, self.task.settings.strength))

    def _content(self, size: Size) -> Tensor:
        content = self.task.content_at(size)
        assert content is not None  # only `stylize` paints at once
        same = self.task.content is not None and content is self.task.content.pixels
        return content if same else content.clamp(0, 1)

    def _working_size(self, styles: Sequence[RegionStyle]) -> Size:
        """Height and width at which a blend is painted: its strokes' own."""
        final, scales = self.task.final_size, self.task.settings.style_scale
        sides: list[float] = []
        for style, given in zip(styles, self._styles(styles), strict=True):
            if given.model is None:
                sides.append(float(min(max(final), WORKING_SIDE)))
            else:
                own = given.model.side / scales[min(style.number, len(scales) - 1)]
                sides.append(max(_SIDES[0], min(own, _SIDES[1])))
        weights = [style.weight for style in styles]
        weighted = (side * weight for side, weight in zip(sides, weights, strict=True))
        mean = sum(weighted) / sum(weights)
        size = fit(final, round(mean))
        return size_that_repeats(size) if self.task.settings.seamless else size

    def _larger_sizes(self, size: Size) -> Iterator[Size]:
        """From the size that is painted first to the last, twofold while there is a way to go.

        Args:
            size: the first; it is not among them.
        """
        final = self.task.final_size
        while max(size) < max(final):
            doubled = 2 * max(size)
            near = max(final) <= doubled * _LITTLE
            size = final if near or doubled > REPAINTED_SIDE else fit(final, doubled)
            yield size

    def _paints_over(self, first: Size, larger: Size) -> bool:
        """Whether the network paints over what was enlarged; see `impasto.feedforward.repainting`.

        Not in films, whose frames would get other detail each, and where little was enlarged.
        """
        enough = _LITTLE * max(first) < max(larger) <= REPAINTED_SIDE
        return enough and not self.task.in_film

    def _most_detail(self, styles: Sequence[RegionStyle], size: Size) -> float | None:
        """How strong the detail of the styles' pictures is at a size.

        None where one is a model, and where no picture is seen.
        """
        views = LevelViews(self.task.viewer, size, torch.device("cpu"))
        found: list[tuple[float, float]] = []
        for style, given in zip(styles, self._styles(styles), strict=True):
            if not style.weight:
                continue
            if given.model is not None:
                return None
            seen = views.of(style.number, style.mask)
            strength = seen.remembered("detail", partial(detail_strength, seen))
            if strength is not None:
                found.append((style.weight, strength))
        whole = sum(weight for weight, _ in found)
        return sum(weight * one for weight, one in found) / whole if found else None

    def _styles(self, styles: Sequence[RegionStyle]) -> list[Style]:
        everyone = self.task.all_styles
        return [everyone[style.number] for style in styles]

    def _base_of(self, style: Style) -> object:
        """What tells a style's base network from others."""
        if style.model is None:
            return None if self.base is None else self.base.sha256
        return style.model.facts.get("base")

    def _painter(self, styles: Sequence[RegionStyle], size: Size) -> Painter:
        """The network of a blend."""
        strength = max(FAINT, self.task.settings.strength)
        views = LevelViews(self.task.viewer, size, self.machine.device)
        parts = []
        for style, given in zip(styles, self._styles(styles), strict=True):
            if not style.weight:
                continue
            if given.model is not None:
                films = [given.model.film(name, strength) for name in given.parts]
                painter = Painter(given.model.kernels, torch.stack(films).mean(0))
            else:
                painter = self._universal(views, style, strength)
            parts.append((style.weight, painter))
        return Painter.blend(parts)

    def _universal(self, views: LevelViews, style: RegionStyle, strength: float) -> Painter:
        """The base network, steered by the pictures of a style."""
        assert self.base is not None  # `start_at_once` loads it
        used = max(max(one) for _, _, one in self.task.viewer.sizes(views.size))
        side = LARGEST_SIDE if used <= 2 * _TILE else _TILE
        seen = replace(views.of(style.number, style.mask), unenlarged=None)  # as in its training
        sums = seen.sums(Describer(self._encoder, side), CODE_LAYERS)
        moved = {
            layer: replace(one, sum=one.sum.cpu(), product=one.product.cpu())
            for layer, one in sums.items()
        }
        return Painter(self.base.kernels, self.base.film(moved, strength))

    @property
    def _encoder(self) -> Encoder:
        assert self.vgg is not None  # as the base network
        return Encoder(self.vgg, device=self.machine.device, dtype=self.machine.dtype)


def refuse_base(base: BaseSource) -> None:
    """Raises `SettingsError` for a base network where nothing is painted at once."""
    if base is not None:
        raise SettingsError(
            f"base = {_named(base)}: is a network that paints at once; leave it out, or choose "
            "preset instant"
        )


def refuse_state(*given: object) -> None:
    """Raises `SettingsError` for a checkpoint where all is painted at once."""
    if any(one is not None for one in given):
        raise SettingsError(
            "checkpoint and resume: preset instant paints at once, so there is no state to keep; "
            "leave them out"
        )


def start_at_once(
    task: Task, weights: str | os.PathLike[str] | Weights | None, compute: Compute, base: BaseSource
) -> Generator[Step, None, None]:
    """Checks a task that networks paint, and loads what they need; the steps do the work.

    Args:
        task: with preset ``instant``.
        weights: as for `start_run`; none but the embedded ones serve.
        compute: where it runs.
        base: see `BaseSource`.

    Raises:
        As `iterate`.
    """
    if compute.engine == "ray":
        raise SettingsError(
            "engine ray: preset instant paints at once, and nothing is shared out; leave it out"
        )
    check(task)
    if isinstance(weights, Weights) and weights.sha256 == EMBEDDED_SHA256:
        weights = None  # as sheets and batches hand it on
    if weights is not None:
        raise SettingsError(
            f"weights = {_named(weights)}: the network that paints at once knows styles as the "
            "embedded VGG-19 describes them; leave weights out"
        )
    universal = vgg = None
    if len(task.models) < len(task.all_styles):
        universal = base if isinstance(base, BaseNetwork) else load_base(base)
        vgg = load_weights()
    elif base is not None:
        raise SettingsError(
            f"base = {_named(base)}: all styles are models, which bring networks of their own; "
            "leave it out"
        )
    networks = {} if universal is None else {"base": universal.sha256}
    for style in task.models:
        networks[style.name] = style.model.sha256 if style.model else ""
    sha256 = "" if vgg is None else vgg.sha256
    kept = open_kept_mask(task, compute.max_pixels)
    task = replace(task, weights=sha256, networks=networks, kept=kept)
    check_left_to_paint(task)
    return NetworkRun(task, compute.machine(), universal, vgg).paint()


def _named(source: object) -> str:
    return repr(os.fspath(source)) if isinstance(source, str | os.PathLike) else "a network"
