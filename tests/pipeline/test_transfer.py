"""A transfer from pairs on disk gives a better model of the user's own, or says why it cannot and leaves nothing behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from safetensors.torch import load_file

from napari_gaintune import denoise, transfer
from napari_gaintune.adaptation.config import checked
from napari_gaintune.adaptation.crops import held_out_blocks
from napari_gaintune.cli.main import main
from napari_gaintune.errors import GaintuneError
from napari_gaintune.image import ArraySeries, Calibration
from napari_gaintune.models.catalogue import USER_FOLDER_VARIABLE, list_models, load_denoiser
from napari_gaintune.models.denoiser import Denoiser
from napari_gaintune.models.prediction import predict
from napari_gaintune.pipeline.pairs import PairFile, load_pairs
from napari_gaintune.pipeline.transfer import TransferJob, held_out_error
from napari_gaintune.pipeline.transfer_config import TransferConfig

from ..models.test_networks import make
from .conftest import small_model

SHAPE = (72, 80)
FAST: dict[str, Any] = {
    "parameters": "ain",
    "steps": 30,
    "learning_rate": 1e-2,
    "crop_size_px": 48,
    "detector_gain": 1.0,
}


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(USER_FOLDER_VARIABLE, str(tmp_path / "mine"))
    return tmp_path / "mine"


@pytest.fixture
def model(tmp_path: Path) -> str:
    return small_model(tmp_path, "AINDNet")


@pytest.fixture
def pairs(tmp_path: Path, rng: np.random.Generator) -> Path:
    """One frame with its reference, and a series of two frames that share one; 1 electron per pixel."""
    y, x = np.indices(SHAPE)
    for name, frames in (("a.tif", 1), ("b.tif", 2)):
        truth = 1 + 0.5 * np.sin(x / rng.uniform(4, 8)) * np.cos(y / rng.uniform(4, 8))
        write(tmp_path / "pairs" / "noisy" / name, rng.poisson(truth, (frames, *SHAPE)).astype(np.uint16))
        write(tmp_path / "pairs" / "clean" / name, truth.astype(np.float32)[None])
    return tmp_path / "pairs"


def write(path: Path, frames: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, frames[0] if len(frames) == 1 else frames)


def files_under(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_a_transfer_makes_a_better_model_that_is_listed_and_moves_only_what_may(
    pairs: Path, model: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    out = tmp_path / "my-camera.safetensors"
    before = {path: path.read_bytes() for path in files_under(pairs) | files_under(Path(model).parent)}
    ended = transfer(pairs, out, model=model, **FAST)
    assert ended.card is not None
    assert ended.error_after < 0.9 * ended.error_before
    assert 0 < ended.best_step <= ended.steps_run == FAST["steps"]
    assert ended.card in list_models()
    assert (ended.card.name, ended.card.architecture) == ("my-camera", "aindnet")
    assert json.loads(ended.card.recipe)["transfer"]["model"] == model
    assert {path: path.read_bytes() for path in before} == before
    network = make("AINDNet")
    may_move = {id(weight) for part in network.noise_parts for weight in part.parameters()}
    weights = load_file(out)
    for name, weight in network.named_parameters():
        assert id(weight) in may_move or torch.equal(weights[name], weight)
    assert not torch.equal(weights["last.weight"], network.last_layer.weight)
    assert torch.equal(load_denoiser("my-camera").network.state_dict()["last.weight"], weights["last.weight"])
    counts = rng.poisson(1.0, SHAPE)
    assert np.isfinite(denoise(counts, model="my-camera", steps=0).image).all()


def test_the_same_seed_gives_the_same_model(pairs: Path, model: str, tmp_path: Path) -> None:
    hashes = []
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        card = transfer(pairs, tmp_path / f"{name}.safetensors", model=model, seed=seed, **FAST).card
        assert card is not None
        hashes.append(card.sha256)
    assert hashes[0] == hashes[1] != hashes[2]


def test_where_nothing_gets_better_nothing_is_written(pairs: Path, model: str, tmp_path: Path) -> None:
    before = files_under(tmp_path)
    ended = transfer(pairs, tmp_path / "my.safetensors", model=model, **FAST | {"learning_rate": 1.0, "steps": 2})
    assert ended.card is None
    assert ended.error_after == ended.error_before
    assert files_under(tmp_path) == before


def rename(pairs: Path) -> None:
    (pairs / "clean" / "a.tif").rename(pairs / "clean" / "c.tif")


def crop(pairs: Path) -> None:
    write(pairs / "clean" / "a.tif", np.ones((1, 72, 79), np.float32))


def sum_up(pairs: Path) -> None:
    write(pairs / "clean" / "a.tif", 40 * tifffile.imread(pairs / "clean" / "a.tif")[None])


def blacken(pairs: Path) -> None:
    write(pairs / "noisy" / "a.tif", np.zeros((1, *SHAPE), np.uint16))


def blacken_reference(pairs: Path) -> None:
    write(pairs / "clean" / "a.tif", np.zeros((1, *SHAPE), np.float32))


def sum_up_few_electrons(pairs: Path) -> None:
    """0.1 electrons per pixel, and the sum of two frames in the place of their mean."""
    frames = np.random.default_rng(1).poisson(0.1, (2, *SHAPE)).astype(np.float32)
    write(pairs / "noisy" / "a.tif", frames[:1])
    write(pairs / "clean" / "a.tif", frames.sum(axis=0, keepdims=True))


def damage(pairs: Path) -> None:
    write(pairs / "clean" / "a.tif", np.full((1, *SHAPE), np.nan, np.float32))


def drop(pairs: Path) -> None:
    (pairs / "clean").rename(pairs / "references")


@pytest.mark.parametrize(
    ("spoil", "settings", "message"),
    [
        (rename, {}, "a.tif is not in clean/ .*the same name"),
        (crop, {}, r"a.tif: \(72, 80\) in noisy/ and \(72, 79\) in clean/.*same rows and columns"),
        (sum_up, {}, "clean/.*its mean is .*give the average of the frames, not their sum"),
        (blacken, {}, "noisy/.*every pixel is 0; .*leave it out"),
        (blacken_reference, {}, "clean/.*every pixel is 0; it is no reference"),
        (sum_up_few_electrons, {}, "clean/.*its mean is .*give the average of the frames, not their sum"),
        (damage, {}, "clean/.*NaN"),
        (drop, {}, "no folder clean/.*put the noisy frames into noisy/"),
        (None, {"parameters": "input-offset"}, "'input-offset'.*choose ain, channel-gains"),
        (None, {"parameters": "heads"}, "'heads'.*choose ain, channel-gains"),
        (None, {"steps": 0}, "steps = 0.*greater than or equal to 1"),
        (None, {"model": "nobody"}, "model 'nobody' is unknown; there are"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(
    spoil: Any, settings: dict[str, Any], message: str, pairs: Path, model: str, tmp_path: Path
) -> None:
    if spoil:
        spoil(pairs)
    before = files_under(tmp_path)
    with pytest.raises(GaintuneError, match=message):
        transfer(pairs, tmp_path / "my.safetensors", **{"model": model} | FAST | settings)
    assert files_under(tmp_path) == before


@pytest.mark.parametrize("place", [".", "mine"])
@pytest.mark.parametrize("taken", ["my.safetensors", "my.json", "my.torchscript"])
def test_nothing_is_replaced(taken: str, place: str, pairs: Path, model: str, tmp_path: Path) -> None:
    (tmp_path / place).mkdir(exist_ok=True)
    (tmp_path / place / taken).write_text("mine")
    with pytest.raises(GaintuneError, match="(exists already, and a model is never replaced)|(in your list already)"):
        transfer(pairs, tmp_path / "my.safetensors", model=model, **FAST)
    for name, message in (("my.pt", "ends in .safetensors"), ("no/my.safetensors", "a folder that exists"),
                          ("unet-tem.safetensors", "comes with the program")):  # fmt: skip
        with pytest.raises(GaintuneError, match=message):
            transfer(pairs, tmp_path / name, model=model, **FAST)
    assert (tmp_path / place / taken).read_text() == "mine"


def test_files_that_are_no_part_of_the_model_are_left_alone(pairs: Path, model: str, tmp_path: Path) -> None:
    others = [tmp_path / name for name in ("my.safetensors.part", "my.json.part", "my.txt")]
    for other in others:
        other.write_text("mine")
    assert transfer(pairs, tmp_path / "my.safetensors", model=model, **FAST).card is not None
    assert [other.read_text() for other in others] == ["mine"] * 3


def test_what_is_held_out_is_never_learned_from(pairs: Path, model: str, tmp_path: Path) -> None:
    """References of 1e6 there would be seen in the loss; the state a fixed number of steps leads to does not change."""
    states = []
    for value in (1.0, 1e6):
        job = TransferJob(
            pairs, tmp_path / f"of-{int(value)}.safetensors", checked(TransferConfig, {"model": model} | FAST)
        )
        held_out = job._held_out(torch.Generator().manual_seed(job.config.seed))
        for pair, there in zip(job.pairs, held_out, strict=True):
            pair.clean[there] = value
        losses = []
        for step in job.run():
            losses.append(step.loss)
        states.append(losses[1:10])  # before anything is judged
    assert states[0] == states[1]
    assert max(states[0]) < 100


def test_a_model_without_adaptive_normalisation_transfers_other_parameters(pairs: Path, tmp_path: Path) -> None:
    dncnn = small_model(tmp_path, "dncnn")
    with pytest.raises(GaintuneError, match=r"'ain'.*no adaptive instance normalisation.*aindnet"):
        transfer(pairs, tmp_path / "my.safetensors", model=dncnn, **FAST)
    ended = transfer(pairs, tmp_path / "my.safetensors", model=dncnn, **FAST | {"parameters": "channel-gains"})
    assert ended.card is not None
    assert ended.error_after < ended.error_before


def test_the_command_tells_what_it_kept_and_fails_in_one_line(
    pairs: Path, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["transfer", str(pairs), "-o", str(tmp_path / "my.safetensors"), "--model", model, "--steps", "30"]
    words += ["--parameters", "ain", "--learning-rate", "0.01", "--crop-size-px", "48", "--detector-gain", "1"]
    assert main(words) == 0
    shown = capsys.readouterr()
    assert "3 pairs" in (told := shown.out)
    assert "note:" not in shown.err
    assert "use it with --model my" in told
    assert "my" in [card.name for card in list_models()]
    assert main(words) == 2
    assert capsys.readouterr().err.startswith("error: name 'my' is in your list already")
    words[3] = str(tmp_path / "other.safetensors")
    words[words.index("30")], words[words.index("0.01")] = "2", "1"
    assert main(words) == 1
    assert "no step of 2 was clearly better" in capsys.readouterr().err


@pytest.mark.parametrize("shape", [(16, 16), (72, 80), (300, 517)])
def test_what_is_held_out_are_blocks_a_fifth_of_the_frame(shape: tuple[int, int]) -> None:
    held_out = held_out_blocks(shape, torch.Generator().manual_seed(1))
    assert held_out.shape == shape
    # a fifth of the blocks, a whole number of them; those at the lower and right edge may be cut
    assert 0.05 < float(held_out.float().mean()) < 0.35
    borders = (held_out[:, 1:] != held_out[:, :-1]).float().mean()
    assert float(borders) < 2 / min(64, min(shape) // 4)


@pytest.mark.parametrize("kind", ["AINDNet", "AINDNet, folded"])
def test_files_may_differ_in_size_whatever_the_crops(kind: str, pairs: Path, tmp_path: Path) -> None:
    model = small_model(tmp_path, kind)
    truth = np.ones((1, 100, 104), np.float32)
    write(pairs / "clean" / "c.tif", truth + np.eye(100, 104, dtype=np.float32))
    write(pairs / "noisy" / "c.tif", np.random.default_rng(2).poisson(truth).astype(np.uint16))
    ended = transfer(pairs, tmp_path / "my.safetensors", model=model, **FAST | {"crop_size_px": 0, "steps": 9})
    assert ended.steps_run == 9


def test_what_one_frame_holds_out_no_other_of_its_file_learns_from(pairs: Path, model: str, tmp_path: Path) -> None:
    job = TransferJob(pairs, tmp_path / "my.safetensors", checked(TransferConfig, {"model": model} | FAST))
    single, *series = job._held_out(torch.Generator().manual_seed(3))
    assert torch.equal(*series)
    assert float(single.float().mean()) < 0.5  # most is learned from
    assert not torch.equal(single, series[0])


def test_a_model_that_is_worse_over_all_is_not_kept(pairs: Path, model: str, tmp_path: Path) -> None:
    """With steps far too long the few crops that the loop looks at do not decide."""
    for seed in range(6):
        settings = FAST | {"learning_rate": 0.1, "steps": 10, "seed": seed}
        ended = transfer(pairs, tmp_path / f"my-{seed}.safetensors", model=model, **settings)
        assert (ended.card is not None) == (ended.best_step > 0 and ended.error_after < ended.error_before)


def test_a_model_can_be_written_into_the_folder_of_the_list(pairs: Path, model: str, own_folder: Path) -> None:
    own_folder.mkdir()
    ended = transfer(pairs, own_folder / "my.safetensors", model=model, **FAST)
    assert ended.card in list_models()


def test_the_error_is_the_mean_square_over_what_is_held_out(pairs: Path, model: str, tmp_path: Path) -> None:
    job = TransferJob(pairs, tmp_path / "my.safetensors", checked(TransferConfig, {"model": model} | FAST))
    held_out, network = job._held_out(torch.Generator().manual_seed(3)), job.denoiser.network
    errors = [
        (predict(network, pair.noisy) - pair.clean)[there] for pair, there in zip(job.pairs, held_out, strict=True)
    ]
    expected = float(torch.cat(errors).double().square().mean())
    assert held_out_error(network, job.pairs, held_out) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("known", [True, False])
def test_pairs_are_in_electrons_of_the_pixels_that_the_model_sees(
    known: bool, model: str, rng: np.random.Generator
) -> None:
    """A detector of 20 counts per electron and pixels half as large as the model knows: four of them are one for it."""
    electrons = rng.poisson(2.0, (1, 144, 160))
    truth = np.full(electrons.shape, 2.0)
    truth[:, 72:] += 1e-3
    fine = Calibration("TYX", (1.0, 0.01, 0.01), ("", "nm", "nm"))
    noisy, clean = (ArraySeries(20.0 * image, "series", fine) for image in (electrons, truth))
    denoiser = load_denoiser(model)
    card = denoiser.card.model_copy(update={"pixel_size_range_nm": (0.02, 0.03), "dose_range_e_per_px": (0.1, 20)})
    config = checked(TransferConfig, {"detector_gain": 20.0 if known else 0.0})
    (pair,) = load_pairs([PairFile(noisy, clean)], Denoiser(card, denoiser.network), config)
    of_four = electrons[0].reshape(72, 2, 80, 2).sum(axis=(1, 3))
    # the gain is exact, or found from the variance of one Haar detail in four of 5760 pixels: four standard errors of it
    rtol = 1e-6 if known else 4 * (2 / (5760 / 4)) ** 0.5
    np.testing.assert_allclose(pair.noisy.numpy(), of_four, rtol=rtol)
    np.testing.assert_allclose(pair.clean.mean(), 8.0, rtol=max(rtol, 1e-3))
    assert [note.split(": ")[0] for note in pair.notes] == ["series, frame 0"]
    assert pair.notes[0].endswith("binned 2 x 2 for it")


def test_a_frame_that_the_model_does_not_know_is_told_before_the_first_step(
    pairs: Path, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Counts of 1 electron, told as 100 counts each: a hundredth of an electron per pixel; and a hot pixel."""
    noisy = tifffile.imread(pairs / "noisy" / "a.tif")
    noisy[40, 50] = 2000
    tifffile.imwrite(pairs / "noisy" / "a.tif", noisy)
    words = ["transfer", str(pairs), "-o", str(tmp_path / "my.safetensors"), "--model", model, "--steps", "1"]
    main([*words, "--crop-size-px", "48", "--detector-gain", "100"])
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]
    frames = [line.split(": ")[1] for line in told]
    assert frames == ["a.tif, frame 0", "a.tif, frame 0", "b.tif, frame 0", "b.tif, frame 1"]
    assert "is less than the 0.2 to 2 e⁻/px the model knows" in told[0]
    assert "1 hot pixel, the first at row 40, column 50" in told[1]
