"""The loop: what it may look at, what it keeps, and that chance is its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Generator, Tensor

from napari_gaintune.adaptation.config import AdaptationConfig, checked
from napari_gaintune.adaptation.crops import HELD_OUT_FRACTION, Frames, crop_size
from napari_gaintune.adaptation.loop import CROP_MARGIN_PX, RunningAverage, Step, adapt
from napari_gaintune.adaptation.objectives import Crop, Objective, PixelLoss, Situation, build_objective
from napari_gaintune.adaptation.objectives.base import JudgesItself
from napari_gaintune.adaptation.objectives.referenced import NextFrame
from napari_gaintune.adaptation.objectives.resampling import NoiseResampling
from napari_gaintune.adaptation.objectives.sure import SureGaussian
from napari_gaintune.adaptation.parameters import PARAMETERS, State, merge, tuned
from napari_gaintune.adaptation.step_size import PACES
from napari_gaintune.adaptation.stopping import OWN_NOISE, BestState, standard_error
from napari_gaintune.errors import SettingError
from napari_gaintune.models.bragg import BraggFilter
from napari_gaintune.models.catalogue import load_denoiser
from napari_gaintune.models.denoiser import Denoiser
from napari_gaintune.models.networks import Network
from napari_gaintune.models.networks.lattice import LatticeNetwork
from napari_gaintune.models.prediction import predict
from napari_gaintune.noise.models import Gaussian

from ..models.test_networks import SMALL, make
from .test_objectives import CELLS, SIGMA, objectives_of, scene
from .test_parameters import CARD

CPU = torch.device("cpu")


def noisy_frame(seed: int = 0, size: int = 60) -> Tensor:
    return Gaussian(SIGMA).sample(scene(size), Generator().manual_seed(seed))


def objective_for(network: Network, name: str) -> Objective:
    return build_objective(name, Situation(network.is_blind, "unit", "gaussian", SIGMA))  # type: ignore[arg-type]


def run(
    network: Network, name: str, noisy: Tensor, stop_after: int | None = None, **settings: object
) -> tuple[State, list[Step], Tensor]:
    """The state at the end, the steps, and the prediction with that state."""
    config = checked(AdaptationConfig, {"crop_size_px": 32, "steps": 20, "learning_rate": 0.02, **settings})
    objective, chance, steps = objective_for(network, name), Generator().manual_seed(config.seed), []
    pseudo = [predict(network, noisy)] if objective.beside != "nothing" else None
    frames = Frames.build([noisy], pseudo, 4, chance)
    with tuned(Denoiser(CARD, network), config.parameters, [noisy.shape]) as handle:
        for step in adapt(handle, frames, objective, config, chance, lambda: len(steps) - 1 == stop_after):
            steps.append(step)
        return handle.state(), steps, predict(network, handle.seen(noisy))


@pytest.mark.parametrize("share", [1.0, 0.25, 0.04])
def test_a_step_is_shorter_by_the_root_of_the_share(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Adam's first step is its rate, to epsilon over the gradient, wherever there is a gradient."""

    class Steady:
        def update(self, gradients: object) -> float:
            return share

    monkeypatch.setitem(PACES, "clear", Steady)
    state, _, _ = run(make("dncnn"), "sure", noisy_frame(), steps=1, stopping="fixed", pace="clear")
    moved = torch.cat([(value - 1).abs().flatten() for value in state])
    assert float(moved.max()) == pytest.approx(0.02 * share**0.5, rel=1e-3)


@pytest.mark.parametrize(("kind", "name"), CELLS)
def test_same_seed_same_bits(kind: str, name: str) -> None:
    first, second, other = (run(make(kind), name, noisy_frame(), seed=seed, steps=5) for seed in (1, 1, 2))
    assert torch.equal(first[2], second[2])
    assert all(torch.equal(a, b) for a, b in zip(first[0], second[0], strict=True))
    assert first[1] == second[1]
    assert first[1] != other[1]


@pytest.mark.parametrize("kind", SMALL)
def test_a_random_network_improves_towards_the_truth(kind: str) -> None:
    """SURE on a badly set network: the objective falls on held-out pixels, and the true error with it."""
    network, noisy, truth = make(kind), noisy_frame(), scene(60)
    network.last_layer.weight.mul_(3)
    before = (predict(network, noisy) - truth).square().mean()
    _, steps, after = run(network, "sure", noisy, steps=150)
    assert steps[-1].best_step > 0
    assert (after - truth).square().mean() < 0.7 * before


@pytest.mark.parametrize("name", objectives_of("dncnn"))
def test_held_out_pixels_are_never_a_target_of_the_loss(name: str) -> None:
    """A denoiser that gives 0 whatever it sees: values of 1e6 at the held-out pixels would be seen in its loss."""
    noisy, chance = noisy_frame(), Generator().manual_seed(0)
    objective = objective_for(make("dncnn"), name)
    frames = Frames.build([noisy], [noisy], 4, chance)
    assert frames.held_out[0].float().mean() == pytest.approx(HELD_OUT_FRACTION, abs=6 * (0.09 / noisy.numel()) ** 0.5)
    noisy[frames.held_out[0]] = 1e6
    whole = frames.random_crops(60, 1, chance, CPU)
    assert objective.pixel_loss(torch.zeros_like, whole, chance).mean() < 10
    (validation,) = frames.validation_crops(60, chance, CPU, held_out=objective.looks_at_frame)
    judged = objective.judge.pixel_loss(torch.zeros_like, validation, chance, every_target=True).counted[0, 0]
    assert torch.equal(judged, frames.held_out[0] if objective.looks_at_frame else torch.ones_like(judged))


def test_crops_leave_out_what_the_network_cannot_know() -> None:
    """Pixels near a cut edge are no targets; those at the frame's own edge are."""
    noisy = torch.zeros(50, 64)
    frames = Frames.build([noisy], None, 4, Generator().manual_seed(0))
    for seed in range(20):
        targets = frames.random_crops(32, 3, Generator().manual_seed(seed), CPU).targets
        assert targets.shape == (3, 1, 32, 32)
        assert targets.any(dim=-1).any(dim=-1).all()
    whole = frames.random_crops(64, 1, Generator(), CPU)
    assert whole.noisy.shape == (1, 1, 50, 64)
    assert torch.equal(whole.targets[0, 0], ~frames.held_out[0])
    corner = frames._cut([(0, slice(0, 32), slice(20, 52))], CPU, held_out=False).targets[0, 0]
    assert corner[:4, 4:-4].any()
    assert not corner[-4:].any()
    assert not corner[:, :4].any()
    assert not corner[:, -4:].any()


@pytest.mark.parametrize("size", [16, 32, 40, 256])
def test_every_crop_has_targets_however_small(size: int) -> None:
    frames = Frames.build([torch.zeros(300, 300)], None, CROP_MARGIN_PX, Generator().manual_seed(0))
    crop = frames.random_crops(size, 1, Generator().manual_seed(1), CPU)
    assert crop.targets.float().mean() > 0.4
    assert all(crop.targets.any() for crop in frames.validation_crops(size, Generator().manual_seed(2), CPU))


def test_other_references_judge_every_pixel_and_are_not_learned_from() -> None:
    noisy, learned, judging = (torch.full((96, 96), value) for value in (1.0, 2.0, 3.0))
    frames = Frames.judged_by([judging], [noisy], [learned], margin_px=4)
    (drawn,) = [frames.random_crops(96, 1, Generator().manual_seed(1), CPU)]
    (judged,) = frames.validation_crops(96, Generator().manual_seed(2), CPU)
    assert drawn.pseudo_clean is not None
    assert judged.pseudo_clean is not None
    assert torch.equal(drawn.pseudo_clean[0, 0], learned)
    assert torch.equal(judged.pseudo_clean[0, 0], judging)
    assert drawn.targets.all()
    assert judged.targets.all()


@dataclass(frozen=True)
class Push(JudgesItself):
    """An objective that lowers every output pixel, or, ``by_chance``, lowers or raises them all."""

    by_chance: bool
    name: str = "push"

    def pixel_loss(self, denoise: Any, crop: Any, generator: Generator, every_target: bool = False) -> PixelLoss:
        sign = float(torch.randint(0, 2, (1,), generator=generator) * 2 - 1) if self.by_chance else 1.0
        return PixelLoss(sign * denoise(crop.noisy), crop.targets)


@pytest.mark.parametrize("shapes", [[(30, 40)], [(30, 40), (30, 40)], [(32, 33), (50, 70)], [(33, 32)]])
def test_a_frame_no_larger_than_a_crop_begins_at_every_place_of_a_square(shapes: list[tuple[int, int]]) -> None:
    """In whole squares, and alike over a batch, which is one array; a network without squares sees what it saw."""
    noisy = [torch.rand(shape) for shape in shapes]
    frames, shortest = Frames.build(noisy, None, 4, Generator().manual_seed(0)), (32, min(w for _, w in shapes))
    seen: tuple[set[int], set[int]] = (set(), set())
    for seed in range(60):
        crop = frames.random_crops(max(shortest), 3, Generator().manual_seed(seed), CPU, fold=2)
        for place, pixels, targets in zip(crop.windows, crop.noisy[:, 0], crop.targets[:, 0], strict=True):
            assert torch.equal(pixels, noisy[place.frame][place.rows, place.columns])
            assert pixels.shape[0] % 2 == pixels.shape[1] % 2 == 0
            inside = ~frames.held_out[place.frame][place.rows, place.columns]
            if noisy[place.frame].shape == shapes[0]:  # nothing that the network would miss was cut off
                assert torch.equal(targets, inside)
        if len(shapes) == 1 or shapes[0] == shapes[1]:
            for starts, cut in zip(seen, (crop.windows[0].rows, crop.windows[0].columns), strict=True):
                starts.add(cut.start)
    assert all(starts in (set(), {0, 1}) for starts in seen)
    whole = frames.random_crops(min(min(shape) for shape in shapes), 1, Generator().manual_seed(1), CPU)
    assert whole.noisy.shape[-2:] == (min(min(shape) for shape in shapes),) * 2


def test_what_a_step_looks_at_is_every_place_of_a_frame_as_often() -> None:
    """A blind-spot network gives one place of each square in a step, by flips, wherever the crop begins."""
    noisy, network = noisy_frame()[:40, :48].contiguous(), make("blind-spot, 2 poolings")
    frames = Frames.build([noisy], None, 4, Generator().manual_seed(0))
    objective, chance, counts = objective_for(network, "blind-spot-architectural"), Generator().manual_seed(5), {}
    for _ in range(400):
        crop = frames.random_crops(64, 1, chance, CPU, fold=network.fold)
        state = chance.get_state()
        axes = [torch.rand((), generator=chance) < 0.5 for _ in range(2)]
        chance.set_state(state)
        objective.pixel_loss(network, crop, chance)
        cuts = (crop.windows[0].rows, crop.windows[0].columns)
        place = tuple((cut.stop - 1 if flipped else cut.start) % 2 for cut, flipped in zip(cuts, axes, strict=True))
        counts[place] = counts.get(place, 0) + 1
    # a quarter of 400 each, with a standard deviation of sqrt(400 * 3 / 16) = 8.7
    assert len(counts) == 4
    assert all(abs(count - 100) < 5 * 8.7 for count in counts.values())


@pytest.mark.parametrize("kind", SMALL)
def test_a_gradient_of_chance_moves_next_to_nothing(kind: str) -> None:
    """A steady gradient moves a gain by the learning rate a step, but for the first step, which only listens."""
    config = AdaptationConfig(crop_size_px=128, steps=20, learning_rate=1e-3)
    moved = []
    for by_chance in (False, True):
        network, chance = make(kind), Generator().manual_seed(3)
        frames = Frames.build([noisy_frame()], None, 4, chance)
        with tuned(Denoiser(CARD, network)) as handle:
            steps = adapt(handle, frames, Push(by_chance), config, chance)
            next(steps)
            next(steps)
            assert all(torch.equal(gain, torch.ones_like(gain)) for gain in handle.movable)
            for step in steps:
                if step.step == config.steps:
                    moved.append(torch.cat([gain.detach().flatten() - 1 for gain in handle.movable]).abs())
    steady, wandered = moved
    assert 0.4 * 19e-3 < float(steady.max()) < 1.1 * 19e-3  # what is held is an average over the last ten
    assert float(wandered.mean()) < 0.05 * float(steady.mean())  # Adam alone: 0.14


def test_no_held_out_pixel_is_judged_twice() -> None:
    numbered = torch.arange(80 * 96.0).reshape(80, 96)
    frames = Frames.build([numbered], None, 4, Generator().manual_seed(0))
    crops = frames.validation_crops(64, Generator().manual_seed(1), CPU)
    judged = torch.cat([crop.noisy[crop.targets] for crop in crops])
    assert len(judged.unique()) == len(judged)
    assert len(judged) > 0.8 * frames.held_out[0].sum()


def test_the_judges_noise_does_not_know_which_pixels_are_held_out() -> None:
    """Noise drawn for held-out pixels has mean 0 and variance 1 there, as everywhere."""
    drawn: list[Tensor] = []

    class Recording:
        def sample(self, clean: Tensor, generator: Generator) -> Tensor:
            drawn.append(torch.randn(clean.shape, generator=generator))
            return clean + drawn[-1]

    frame, chance = torch.zeros(128, 128), Generator().manual_seed(0)
    frames = Frames.build([frame], [frame], 4, chance)
    config = checked(AdaptationConfig, {"steps": 0, "crop_size_px": 128})
    with tuned(Denoiser(CARD, make("dncnn"))) as handle:
        judge = NoiseResampling(Recording(), SureGaussian(SIGMA))
        list(adapt(handle, frames, NoiseResampling(Recording(), judge), config, chance))
    noise = drawn[0][0, 0][frames.held_out[0]]
    assert abs(float(noise.mean())) < 6 / len(noise) ** 0.5
    assert abs(float(noise.var()) - 1) < 6 * (2 / len(noise)) ** 0.5


def test_a_run_that_does_harm_gives_the_pretrained_result() -> None:
    """A network that is right already: SURE gains at an absurd learning rate only make it worse."""
    noisy = noisy_frame()
    state, _, _ = run(make("dncnn"), "sure", noisy, steps=400, crop_size_px=60, learning_rate=0.1)
    right = merge(make("dncnn"), state)
    gains, steps, result = run(right, "sure", noisy, steps=20, learning_rate=1.0, crop_size_px=32)
    assert [step.change for step in steps if step.change is not None][-1] > 0
    assert steps[-1].best_step == 0
    assert torch.equal(result, predict(right, noisy))
    assert all(torch.equal(gain, torch.ones_like(gain)) for gain in gains)


@pytest.mark.parametrize("kind", [kind for kind in SMALL if not kind.startswith("blind-spot")])
def test_resampling_is_judged_by_the_true_change_of_the_error(kind: str) -> None:
    """Its own loss never looks at the frame: it would tell of many times the change, or of one where there is harm."""
    network, noisy, truth = make(kind), noisy_frame(size=120), scene(120)
    network.last_layer.weight.mul_(3)
    before = predict(network, noisy)
    _, steps, after = run(network, "resampling", noisy, steps=60, crop_size_px=120)
    (judged,) = (step.change for step in steps if step.step == steps[-1].best_step)
    assert judged is not None
    true = (after - truth).square().mean() - (before - truth).square().mean()
    # of the noise in (f1 - f0)(f1 + f0 - 2 y) there is left: 2 sigma times the change, over all pixels
    spread = 2 * SIGMA * float((after - before).square().mean()) ** 0.5 / 120
    assert abs(judged - float(true)) < 6 * spread


def test_the_best_step_has_the_lowest_change_of_all_that_were_judged() -> None:
    _, steps, _ = run(make("dncnn"), "sure", noisy_frame(), steps=40)
    judged = {step.step: step.change for step in steps if step.change is not None}
    assert steps[-1].best_step == min(judged, key=lambda step: judged[step])


@pytest.mark.parametrize("name", ["auto", "blind-spot", "sure", "resampling"])
def test_a_stopped_run_keeps_what_it_had(name: str) -> None:
    state, steps, result = run(make("dncnn"), name, noisy_frame(), stop_after=13)
    assert steps[-1].step == 13
    assert steps[-1].change is not None  # judged once more when it stopped
    assert steps[-1].best_step > 0
    assert any(not torch.equal(gain, torch.ones_like(gain)) for gain in state)
    assert torch.isfinite(result).all()


@pytest.mark.parametrize("parameters", [name for name in PARAMETERS if name not in ("heads", "ain")])
@pytest.mark.parametrize("kind", ["dncnn", "blind-spot, 2 poolings"])
def test_whatever_moves_brings_a_network_that_is_off_towards_the_truth(kind: str, parameters: str) -> None:
    """The last layer three times too strong: each choice can mend some of it, as the held-out pixels and the truth say."""
    network, noisy, truth = make(kind), noisy_frame(), scene(60)
    network.last_layer.weight.mul_(3)
    before = (predict(network, noisy) - truth).square().mean()
    settings = {"parameters": parameters, "steps": 40, "learning_rate": 0.02, "crop_size_px": 60}
    _, steps, after = run(network, "sure", noisy, **settings)
    assert steps[-1].best_step > 0
    assert (after - truth).square().mean() < 0.95 * before
    assert run(network, "sure", noisy, **settings)[1] == steps  # and the same seed goes the same way


def test_a_learning_rate_of_zero_is_that_of_the_parameters() -> None:
    for parameters in ("channel-gains", "last-layer"):
        own, named = (
            run(make("dncnn"), "sure", noisy_frame(), parameters=parameters, learning_rate=rate)
            for rate in (0, PARAMETERS[parameters].learning_rate)
        )
        assert own[1] == named[1]


def test_no_steps_give_the_pretrained_result() -> None:
    network, noisy = make("dncnn"), noisy_frame()
    _, steps, result = run(network, "sure", noisy, steps=0)
    assert [step.step for step in steps] == [0]
    assert torch.equal(result, predict(network, noisy))


def test_a_step_costs_the_same_for_any_frame_size() -> None:
    """The crop is all a step reads: its shape does not follow the frame's."""
    for size in (40, 400):
        frames = Frames.build([torch.zeros(size, size)], None, 4, Generator())
        assert frames.random_crops(32, 2, Generator(), CPU).noisy.shape == (2, 1, 32, 32)
        assert len(frames.validation_crops(32, Generator(), CPU)) == 4


def test_an_objective_with_a_schedule_is_asked_how_far_the_run_is() -> None:
    asked: list[float] = []

    @dataclass(frozen=True)
    class Scheduled(SureGaussian):
        def at(self, progress: float) -> Scheduled:
            asked.append(progress)
            return self

    chance = Generator().manual_seed(0)
    frames = Frames.build([noisy_frame()], None, 4, chance)
    with tuned(Denoiser(CARD, make("dncnn"))) as handle:
        list(adapt(handle, frames, Scheduled(SIGMA), AdaptationConfig(steps=4, crop_size_px=32), chance))
    assert asked == [0.25, 0.5, 0.75, 1.0]


@pytest.mark.parametrize(("name", "starts"), [("UNet, folded", {0, 1}), ("UNet", {0})])
@pytest.mark.parametrize("parameters", ["channel-gains", "input-offset"])
def test_steps_begin_at_every_place_of_the_networks_squares(name: str, starts: set[int], parameters: str) -> None:
    seen: list[Crop] = []

    @dataclass(frozen=True)
    class Watching(SureGaussian):
        def pixel_loss(self, denoise: Any, crop: Crop, generator: Generator, every_target: bool = False) -> PixelLoss:
            seen.extend([] if every_target else [crop])
            return SureGaussian.pixel_loss(self, denoise, crop, generator, every_target)

    chance, noisy = Generator().manual_seed(0), noisy_frame()
    frames = Frames.build([noisy], None, 4, chance)
    with tuned(Denoiser(CARD, make(name)), parameters, [noisy.shape]) as handle:
        list(adapt(handle, frames, Watching(SIGMA), AdaptationConfig(steps=12, parameters=parameters), chance))
    windows = [window for crop in seen for window in crop.windows]
    # twelve steps miss a place along an axis with a chance of 2 ** -11; the seed is one that does not
    assert {window.rows.start for window in windows} == {window.columns.start for window in windows} == starts


def test_the_running_average_has_no_bias_towards_the_start() -> None:
    average = RunningAverage([torch.zeros(3)], 10)
    for _ in range(3):
        average.update([torch.ones(3)])
    torch.testing.assert_close(average.state[0], torch.ones(3))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": -1}, r"steps = -1: .*greater than or equal to 0"),
        ({"learning_rate": -0.1}, "learning_rate = -0.1"),
        ({"objective": "best"}, "objective = 'best'.*blind-spot"),
        ({"stepps": 3}, "no setting 'stepps'; there are method, parameters, objective"),
        ({"crop_size_px": 4, "seed": -1}, "seed = -1.*crop_size_px = 4"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value_and_rule(settings: dict[str, object], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        checked(AdaptationConfig, settings)


@pytest.mark.parametrize("kind", SMALL)
def test_a_crop_shows_the_network_a_window_of_the_frame(kind: str) -> None:
    """Unless another size is wished for: behind Bragg filters as wide as theirs, of the pixels they fold."""
    network = make(kind)
    own = [module for module in network.modules() if isinstance(module, BraggFilter)]
    fold = next((module.fold for module in network.modules() if isinstance(module, LatticeNetwork)), 1)
    assert network.frame_window_px == max((fold * bragg.window_px for bragg in own), default=0)
    assert crop_size(0, network) == 256  # the small networks of tests have small windows
    assert crop_size(48, network) == 48
    assert crop_size(0, load_denoiser("unet-hrtem").network) == 512


@pytest.mark.parametrize(("wished_px", "judged_px"), [(32, 256), (300, 300)])
def test_what_is_judged_is_never_smaller_than_what_the_network_looks_at(wished_px: int, judged_px: int) -> None:
    """In a small crop its filters see less than in the frame, and harm to the frame does not show."""
    network, seen = make("dncnn"), set[tuple[int, bool]]()
    noisy, config = noisy_frame(size=320), AdaptationConfig(crop_size_px=wished_px, steps=10)
    frames, chance = Frames.build([noisy], None, 4, Generator().manual_seed(0)), Generator().manual_seed(1)
    with tuned(Denoiser(CARD, network)) as handle:
        network.register_forward_hook(lambda _, given, __: seen.add((given[0].shape[-1], torch.is_grad_enabled())))
        list(adapt(handle, frames, objective_for(network, "sure"), config, chance))
    assert seen == {(wished_px, True), (judged_px, False)}


@pytest.mark.parametrize("crops", [1, 2, 4])
def test_a_frame_with_few_crops_is_judged_by_more_draws(crops: int) -> None:
    """Four judgements in all, shared out among the crops: each with another probe."""
    network, objective = make("dncnn"), SureGaussian(SIGMA)
    frame, chance = noisy_frame(size=64), Generator().manual_seed(2)
    frames = Frames.build([frame[: 32 * min(crops, 2), : 32 * max(1, crops // 2)]], None, 0, chance)
    judged = frames.validation_crops(32, chance, CPU)
    assert len(judged) == crops
    with tuned(Denoiser(CARD, network)) as handle:
        start = handle.state()
        louder = [*start[:-1], 1.1 * start[-1]]
        found = BestState(objective, judged, handle, start, Generator().manual_seed(5)).consider(1, louder)
        seed, expected = int(torch.randint(2**62, (1,), generator=Generator().manual_seed(5))), []
        for state in (start, louder):
            handle.load(state)
            generator, losses = Generator().manual_seed(seed), []
            for crop in judged:
                drawn = [objective.pixel_loss(network, crop, generator).values[crop.targets] for _ in range(4 // crops)]
                losses.append(torch.stack(drawn).double().mean(dim=0))
            expected.append(float(torch.cat(losses).detach().mean()))
    assert found == pytest.approx(expected[1] - expected[0], rel=1e-4)


@pytest.mark.parametrize(("kind", "looks"), [("blind-spot, 2 poolings", 1), ("dncnn", 1 + 4)])
def test_what_chance_does_not_change_is_looked_at_once(kind: str, looks: int) -> None:
    """SURE of a blind network has no probe, of another it has four, and the crop itself is the same under each."""
    network, seen = make(kind), list[Tensor]()
    crops = Frames.build([noisy_frame()], None, 4, Generator().manual_seed(0)).validation_crops(60, Generator(), CPU)
    with tuned(Denoiser(CARD, network)) as handle:
        best = BestState(objective_for(network, "sure"), crops, handle, handle.state(), Generator().manual_seed(1))
        network.register_forward_hook(lambda _, given, __: seen.append(given[0]))
        best.consider(1, [1.1 * gain for gain in handle.state()])
    assert sum(len(images) for images in seen) == looks


@dataclass(frozen=True)
class Lucky(JudgesItself):
    """Tells of differences that are nothing but chance, pixel by pixel."""

    name: str = "lucky"

    def pixel_loss(self, denoise: Any, crop: Any, generator: Generator, every_target: bool = False) -> PixelLoss:
        return PixelLoss(torch.randn(crop.noisy.shape, generator=generator) * denoise(crop.noisy), crop.targets)


@dataclass(frozen=True)
class LuckyAtOwnNoise(Lucky):
    """The same, of one that learns from no pixel of the frame and is judged by all of them."""

    looks_at_frame = False


@pytest.mark.parametrize(("objective", "spread"), [(Lucky(), 1.0), (LuckyAtOwnNoise(), OWN_NOISE)])
def test_what_only_looked_better_by_the_chance_of_the_choice_is_given_up(objective: Lucky, spread: float) -> None:
    """Of 400 that were lucky once, the normal tail beyond ``spread`` deviations is lucky again, within 3.3 deviations."""
    frames = Frames.build([noisy_frame(size=24)], None, 4, Generator().manual_seed(0))
    crops, kept, lucky = frames.validation_crops(24, Generator().manual_seed(1), CPU), 0, 0
    with tuned(Denoiser(CARD, make("dncnn"))) as handle:
        start = handle.state()
        for seed in range(1200):
            best = BestState(objective, crops, handle, start, Generator().manual_seed(seed))
            if best.consider(1, [1.01 * gain for gain in start]) < 0 and lucky < 400:
                lucky += 1
                best.confirm()
                kept += best.step == 1
                assert all(torch.equal(a, b) for a, b in zip(best.state, start, strict=True)) == (best.step == 0)
    assert lucky == 400
    tail = 0.5 * math.erfc(spread / math.sqrt(2))
    assert abs(kept - lucky * tail) < 3.3 * math.sqrt(lucky * tail * (1 - tail))


def blur(sigma_px: float) -> Callable[[Tensor], Tensor]:
    return lambda images: torch.from_numpy(gaussian_filter(images.numpy(), (0, 0, sigma_px, sigma_px), mode="wrap"))


@pytest.mark.parametrize("is_referenced", [False, True])
def test_how_far_a_judge_wanders(is_referenced: bool) -> None:
    """Two blurs under 300 draws of the noise: the stated error of SURE on all pixels is short by sqrt 2, of a reference not.

    The spread of 300 draws is known within 4 % (one deviation), here to 4 of them.
    """
    rng, draws, size = np.random.default_rng(0), 300, 96
    clean = 3 * torch.from_numpy(gaussian_filter(rng.normal(size=(size, size)), 4, mode="wrap"))
    judge: Objective = NextFrame() if is_referenced else SureGaussian(1.0)
    objective: Objective = judge if is_referenced else NoiseResampling(Gaussian(1.0), judge)
    assert objective.looks_at_frame == is_referenced
    blurs, off, stated = (blur(2.4), blur(3.0)), [], []
    for draw in range(draws):
        noisy, other = (clean + torch.from_numpy(rng.normal(size=(size, size))) for _ in range(2))
        crop = Crop(noisy[None, None], torch.ones(1, 1, size, size, dtype=torch.bool), other[None, None], [])
        judged = [
            judge.pixel_loss(denoise, crop, Generator().manual_seed(draw), every_target=True).values
            for denoise in blurs
        ]
        differences = (judged[0] - judged[1]).flatten()
        errors = [((denoise(crop.noisy)[0, 0] - clean) ** 2).mean() for denoise in blurs]
        off.append(float(differences.mean() - (errors[0] - errors[1])))
        stated.append(standard_error(differences))
    wanders = float(np.std(off) / np.mean(stated))
    expected = 1.0 if is_referenced else OWN_NOISE
    assert abs(wanders - expected) < 4 * expected / math.sqrt(2 * draws)


def test_what_is_better_is_confirmed() -> None:
    frames = Frames.build([noisy_frame()], None, 4, Generator().manual_seed(0))
    crops = frames.validation_crops(60, Generator().manual_seed(1), CPU)
    with tuned(Denoiser(CARD, make("dncnn"))) as handle:
        best = BestState(Push(by_chance=False), crops, handle, handle.state(), Generator().manual_seed(2))
        lower = [*handle.state()[:-1], handle.state()[-1] * -1]
        change = best.consider(1, lower)
        better = lower if change < 0 else [*handle.state()[:-1], handle.state()[-1] * 2]
        best.consider(2, better)
        best.confirm()
    assert best.step > 0
    assert best.change < 0
