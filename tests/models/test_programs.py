"""TorchScript programs of networks that are not ours: taken as they are measured to be, adapted, or refused."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_gaintune import denoise
from napari_gaintune.adaptation.parameters import tuned
from napari_gaintune.cli.main import main
from napari_gaintune.errors import ImageError, ModelError, SettingError
from napari_gaintune.models.additions import add_model
from napari_gaintune.models.catalogue import USER_FOLDER_VARIABLE, list_models, load_denoiser, user_folder
from napari_gaintune.models.prediction import predict
from napari_gaintune.models.programs import objection
from napari_gaintune.pipeline.transfer import transfer

from .test_networks import make

TOLD: dict[str, Any] = {"intensity_unit": "electrons"}


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(USER_FOLDER_VARIABLE, str(tmp_path / "mine"))
    return tmp_path / "mine"


class Plain(nn.Module):
    """Convolutions of 5 and of 3 pixels: a reach of 3."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 4, 5, padding=2), nn.LeakyReLU(0.1), nn.Conv2d(4, 1, 3, padding=1, padding_mode="reflect")
        )

    def plain(self, noisy: Tensor) -> Tensor:
        return noisy + 0.1 * self.layers(noisy)

    def forward(self, noisy: Tensor) -> Tensor:
        return self.plain(noisy)


class Pooling(nn.Module):
    """Two poolings without padding: sides that are multiples of 4, and a reach of 3 + 4 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(1, 4, 2, stride=2)
        self.deep = nn.Conv2d(4, 4, 2, stride=2)
        self.wide = nn.Conv2d(4, 4, 3, padding=1)
        self.up = nn.ConvTranspose2d(4, 4, 2, stride=2)
        self.last = nn.ConvTranspose2d(8, 1, 2, stride=2)

    def forward(self, noisy: Tensor) -> Tensor:
        down = F.leaky_relu(self.down(noisy), 0.1)
        deep = self.up(F.leaky_relu(self.wide(self.deep(down)), 0.1))
        return 0.5 * noisy + 0.1 * self.last(torch.cat([down, deep], dim=1))


class Interpolating(Plain):
    """Takes any size, but in an odd one its coarse image is stretched."""

    def forward(self, noisy: Tensor) -> Tensor:
        coarse = self.plain(F.avg_pool2d(noisy, 2))
        return noisy + F.interpolate(coarse, size=[noisy.shape[-2], noisy.shape[-1]], mode="bilinear")


class Blind(nn.Module):
    """The mean of the eight neighbours, through a rectifier."""

    def __init__(self) -> None:
        super().__init__()
        ring = torch.full((1, 1, 3, 3), 1 / 8)
        ring[..., 1, 1] = 0
        self.register_buffer("ring", ring)
        self.gain = nn.Parameter(torch.ones(()))

    def forward(self, noisy: Tensor) -> Tensor:
        return self.gain * F.leaky_relu(F.conv2d(noisy, self.ring, padding=1), 0.1)


class WholeMean(Plain):
    def forward(self, noisy: Tensor) -> Tensor:
        return self.plain(noisy - noisy.mean())


class HiddenMean(Plain):
    def forward(self, noisy: Tensor) -> Tensor:
        return self.plain(noisy) + noisy.detach().mean()


class Place(Plain):
    """Its result depends on where in the frame a pixel is."""

    def forward(self, noisy: Tensor) -> Tensor:
        return self.plain(noisy) * torch.linspace(0, 1, noisy.shape[-1])


class Dropping(Plain):
    def forward(self, noisy: Tensor) -> Tensor:
        return F.dropout(self.plain(noisy), 0.5, True)


class Deaf(Plain):
    def forward(self, noisy: Tensor) -> Tensor:
        return self.plain(noisy.detach())


class Larger(Plain):
    def forward(self, noisy: Tensor) -> Tensor:
        return F.interpolate(self.plain(noisy), scale_factor=2.0)


class Saving(Plain):
    def forward(self, noisy: Tensor) -> Tensor:
        torch.save(noisy, "was-here")  # noqa: TID251 - to show that it is refused
        return self.plain(noisy)


def program(
    network: nn.Module, traced_at: tuple[int, int] | None = None, frozen: bool = False
) -> torch.jit.ScriptModule:
    torch.manual_seed(5)
    for parameter in network.parameters():
        if parameter.ndim == 4:
            nn.init.normal_(parameter, 0.1, 0.2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch would have torch.export
        example = torch.rand(1, 1, *(traced_at or (32, 32)))
        made = torch.jit.trace(network.eval(), example) if traced_at else torch.jit.script(network.eval())
        return torch.jit.freeze(made) if frozen else made


def program_file(folder: Path, made: torch.jit.ScriptModule, name: str = "theirs.torchscript") -> Path:
    (folder / name).write_bytes(made.save_to_buffer())
    return folder / name


def rewritten(file: Path, old: str, new: str) -> Path:
    """The program with another text of its code."""
    source, changed = zipfile.ZipFile(io.BytesIO(file.read_bytes())), io.BytesIO()
    with zipfile.ZipFile(changed, "w", zipfile.ZIP_STORED) as target:
        for record in source.namelist():
            content = source.read(record)
            target.writestr(record, content.replace(old.encode(), new.encode()) if record.endswith(".py") else content)
    file.write_bytes(changed.getvalue())
    return file


@pytest.mark.parametrize(
    ("made", "measured"),
    [
        (lambda: program(Plain()), {"receptive_field_radius": 3, "stride": 1, "is_blind": False, "multiple": 1}),
        (lambda: program(Plain(), (40, 48)), {"receptive_field_radius": 3, "stride": 1, "is_blind": False, "multiple": 1}),
        (lambda: program(Pooling(), (40, 48)), {"receptive_field_radius": 7, "stride": 4, "is_blind": False, "multiple": 4}),
        (lambda: program(Interpolating()),
         {"receptive_field_radius": 8, "stride": 2, "is_blind": False, "multiple": 2}),
        (lambda: program(Blind()), {"receptive_field_radius": 1, "stride": 1, "is_blind": True, "multiple": 1}),
        (lambda: program(Plain(), frozen=True),
         {"receptive_field_radius": 3, "stride": 1, "is_blind": False, "multiple": 1}),
    ],
    ids=["scripted", "traced", "traced, multiples of 4", "interpolating", "blind", "frozen"],
)  # fmt: skip
def test_a_program_is_measured_and_listed(
    made: Callable[[], torch.jit.ScriptModule], measured: dict[str, int | bool], tmp_path: Path
) -> None:
    theirs = made()
    card = add_model(program_file(tmp_path, theirs, "theirs.ts"), TOLD | {"modality": "HRTEM"})
    assert (card.architecture, card.options, card.modality) == ("torchscript", measured, "HRTEM")
    assert card in list_models()
    assert {path.name for path in user_folder().iterdir()} == {"theirs.torchscript", "theirs.json"}
    network = load_denoiser("theirs").network
    noisy = torch.rand(3, 1, 48, 64)
    assert torch.equal(network(noisy), torch.cat([theirs(image[None]) for image in noisy]))
    assert network(torch.rand(2, 1, 45, 51)).shape == (2, 1, 45, 51)
    assert torch.equal(load_denoiser(user_folder() / "theirs.torchscript").network(noisy), network(noisy))


@pytest.mark.parametrize(
    "network", [Plain(), Pooling(), Interpolating(), Blind()], ids=lambda network: type(network).__name__
)
@pytest.mark.parametrize("shape", [(131, 150), (128, 97)])
def test_prediction_in_tiles_is_prediction_in_one_piece(
    network: nn.Module, shape: tuple[int, int], tmp_path: Path
) -> None:
    add_model(program_file(tmp_path, program(network)), TOLD)
    theirs, frame = load_denoiser("theirs").network, torch.rand(*shape)
    # sums of a few hundred values about 1 in another order
    torch.testing.assert_close(predict(theirs, frame, tile_px=48), predict(theirs, frame), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["dncnn", "dncnn, folded", "UNet", "multi-task"])
def test_what_is_measured_of_our_networks_is_what_they_say(kind: str, tmp_path: Path) -> None:
    ours = make(kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(ours, torch.rand(1, 1, 64, 64))
    measured = add_model(program_file(tmp_path, traced), TOLD).options
    assert measured["receptive_field_radius"] == ours.receptive_field_radius
    assert measured["stride"] == ours.stride


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (WholeMean(), "depends on all of a frame of 768 px.*whole-frame statistics"),
        (HiddenMean(), "pixels more than 3 px away change its result"),
        (Place(), "does not depend on the place"),
        (Dropping(), "another result for the same frame"),
        (Deaf(), "lets no gradient through"),
        (Larger(), "takes no frames.*makes"),
        (Saving(), "its code names 'save'"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_a_program_that_cannot_serve_is_refused_with_the_reason(
    network: nn.Module, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=message):
        add_model(program_file(tmp_path, program(network)), TOLD)
    assert not user_folder().exists()


def test_a_traced_program_that_knows_one_size_is_refused(tmp_path: Path) -> None:
    class OneSize(Plain):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("window", torch.ones(40, 40))

        def forward(self, noisy: Tensor) -> Tensor:
            return self.plain(noisy) * self.window

    with pytest.raises(ModelError, match="takes no frames.*torch.jit.script"):
        add_model(program_file(tmp_path, program(OneSize(), (40, 40))), TOLD)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("noisy: Tensor", 'noisy: Tensor, more: int=len([torch.save(1, "WHERE")])'),
        ("noisy: Tensor", 'noisy: Tensor, more: int=len([getattr(torch, "sa" "ve")(1, "WHERE")])'),
        ("noisy: Tensor", 'noisy: Tensor, more: int=len([getattr(torch, "sa\\x76e")(1, "WHERE")])'),
        ("noisy: Tensor", 'noisy: Tensor, more: Tensor=torch.from_file("WHERE", True, 10)'),
    ],
)
def test_code_that_would_run_while_it_is_read_is_never_read(old: str, new: str, tmp_path: Path) -> None:
    """Torch itself runs it: default values are computed while a program is read."""
    where = tmp_path / "written"
    file = rewritten(program_file(tmp_path, program(Plain())), old, new.replace("WHERE", str(where)))
    with pytest.raises(ModelError, match="its code (names|is written)"):
        add_model(file, TOLD)
    assert not where.exists()


def test_code_is_looked_at_whatever_the_case_of_its_name(tmp_path: Path) -> None:
    """Torch finds records so."""
    file = program_file(tmp_path, program(Saving()))
    source, changed = zipfile.ZipFile(io.BytesIO(file.read_bytes())), io.BytesIO()
    with zipfile.ZipFile(changed, "w", zipfile.ZIP_STORED) as target:
        for record in source.namelist():
            target.writestr(f"{record[:-3]}.PY" if record.endswith(".py") else record, source.read(record))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.load(io.BytesIO(changed.getvalue()))
    file.write_bytes(changed.getvalue())
    with pytest.raises(ModelError, match="its code names 'save'"):
        add_model(file, TOLD)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("_0 = torch.conv2d(x, w)\n", ""),
        ('_0 = getattr(self, "0")\n', ""),
        ('ops.prim.RaiseException("cannot save this\\n")\n', ""),
        ("ops : int\n", ""),
        ("self.ops\n", ""),
        ('t = torch\nt.save(1, "x")\n', "names 'save'"),
        ('getattr(torch, "from_file")', "names 'from_file'"),
        ('getattr(torch, "sa" \n "ve")', "can be hidden"),
        ('getattr(torch, "sa""ve")', "can be hidden"),
        ('getattr(torch, "\\163ave")', "can be hidden"),
        ('getattr(torch, """sa""")', "can be hidden"),
        ("x = 1 # torch", "can be hidden"),
        ("x = 1 \\\n", "can be hidden"),
        ("o = ops\n", "uses ops"),
        ("ops.c10d.send(x)", "uses ops.c10d"),
        ("def __setstate__(self, x: int):", "names '__setstate__'"),
        ("__torch__.torch.classes.quantized.Conv2dPackedParamsBase", "names 'classes'"),
        ("x = é", "not ASCII"),
    ],
)  # fmt: skip
def test_what_code_is_objected_to(code: str, message: str) -> None:
    assert message in objection(code.encode())
    assert bool(message) == bool(objection(code.encode()))


def test_what_is_no_program_is_refused(tmp_path: Path) -> None:
    import pickle  # noqa: TID251 - to show that it is refused

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return exec, (f"open({str(tmp_path / 'exploded')!r}, 'w')",)

    bare, saved_by_torch, exported = (tmp_path / name for name in ("a.torchscript", "b.torchscript", "c.pt2"))
    bare.write_bytes(pickle.dumps(Bomb()))
    torch.save(Bomb(), saved_by_torch)  # noqa: TID251 - to show that it is refused
    torch.export.save(torch.export.export(Plain().eval(), (torch.rand(1, 1, 32, 32),)), exported)
    for file, message in (
        (bare, "not a readable TorchScript program"),
        (saved_by_torch, "holds no TorchScript program"),
        (exported, "torch unpickles parts of it.*save it as TorchScript"),
        (exported.rename(tmp_path / "d.torchscript"), "TorchScript program"),
        (tmp_path / "absent.ts", "cannot be read"),
    ):
        with pytest.raises(ModelError, match=message):
            add_model(file, TOLD)
    assert not (tmp_path / "exploded").exists()


def test_what_is_told_of_a_program(tmp_path: Path) -> None:
    file = program_file(tmp_path, program(Plain()))
    for told, message in (
        ({}, "intensity_unit is not known"),
        (TOLD | {"architecture": "dncnn"}, "no architecture and no options"),
        (TOLD | {"options": {"stride": 1}}, "no architecture and no options"),
        ({"intensity_unit": "photons"}, "intensity_unit = 'photons'"),
        (TOLD | {"name": "unet-hrtem"}, "comes with the program"),
    ):
        with pytest.raises(ModelError, match=message):
            add_model(file, told)
    add_model(file, TOLD)
    with pytest.raises(ModelError, match="in your list already"):
        add_model(file, TOLD)
    again = add_model(user_folder() / "theirs.torchscript", {"name": "again"})  # by the card beside it
    assert again.intensity_unit == "electrons"


def test_a_model_of_the_other_kind_is_replaced_whole(tmp_path: Path) -> None:
    from .test_additions import TOLD as WEIGHTS_TOLD
    from .test_additions import weights_file

    theirs, ours = program_file(tmp_path, program(Plain())), weights_file(tmp_path, "theirs")
    for file, told, suffix in ((ours, WEIGHTS_TOLD, ".safetensors"), (theirs, TOLD, ".torchscript"),
                               (ours, WEIGHTS_TOLD, ".safetensors")):  # fmt: skip
        add_model(file, told, overwrite=True)
        assert {path.name for path in user_folder().iterdir()} == {"theirs.json", f"theirs{suffix}"}
        assert load_denoiser("theirs").card.is_program == (suffix == ".torchscript")


def test_a_damaged_program_or_card_is_noticed_before_it_is_read(tmp_path: Path) -> None:
    add_model(program_file(tmp_path, program(Plain())), TOLD)
    stored, card = user_folder() / "theirs.torchscript", user_folder() / "theirs.json"
    fields = json.loads(card.read_text())
    card.write_text(json.dumps(fields | {"options": {"width": 3}}))
    with pytest.raises(ModelError, match="options are"):
        load_denoiser("theirs")
    content = bytearray(stored.read_bytes())
    content[len(content) // 2] ^= 1
    stored.write_bytes(content)
    with pytest.raises(ModelError, match="SHA-256.*damaged"):
        load_denoiser("theirs")


def test_what_cannot_move_is_refused_with_the_cure(tmp_path: Path) -> None:
    add_model(program_file(tmp_path, program(Plain())), TOLD)
    add_model(program_file(tmp_path, program(Plain(), frozen=True), "frozen.ts"), TOLD)
    counts = np.random.default_rng(1).poisson(5, (40, 44)).astype(np.uint16)
    for settings, message in (
        ({}, "'channel-gains'.*--parameters all-weights, --method restore-from-restored or --method lan"),
        ({"parameters": "first-layer"}, "'first-layer'.*choose --parameters all-weights"),
        ({"parameters": "last-layer"}, "'last-layer'.*choose --parameters all-weights"),
        ({"parameters": "heads"}, "one task"),
        ({"parameters": "ain"}, "no adaptive instance normalisation"),
        ({"model": "frozen", "parameters": "all-weights"}, "a frozen program.*--method lan"),
    ):
        with pytest.raises(SettingError, match=message):
            denoise(counts, **{"model": "theirs"} | settings)
    for name, parameters in (("theirs", "channel-gains"), ("theirs", "first-layer"), ("theirs", "last-layer"),
                             ("frozen", "all-weights")):  # fmt: skip
        with pytest.raises(SettingError, match="choose"), tuned(load_denoiser(name), parameters):
            pass
    with pytest.raises(ModelError, match="weights of one of our architectures"):
        transfer(tmp_path, tmp_path / "mine.safetensors", model="theirs")


@pytest.mark.parametrize("network", [Plain(), Pooling(), Blind()], ids=lambda network: type(network).__name__)
def test_all_weights_move_merge_and_come_back_exactly(network: nn.Module, tmp_path: Path) -> None:
    add_model(program_file(tmp_path, program(network)), TOLD)
    denoiser, noisy = load_denoiser("theirs"), torch.rand(2, 1, 32, 40)
    before, weights = denoiser.network(noisy), [w.clone() for w in denoiser.network.parameters()]
    with tuned(denoiser, "all-weights") as handle:
        assert torch.equal(denoiser.network(noisy), before)
        for _ in range(3):  # an optimised program would change between its runs
            denoiser.network(noisy).square().mean().backward()
        assert all(moved.grad is not None and moved.grad.any() for moved in handle.movable)
        handle.load([value + 0.1 for value in handle.state()])
        merged, moved = handle.merged(), denoiser.network(noisy)
        assert not torch.equal(moved, before)
    assert torch.equal(denoiser.network(noisy), before)
    assert all(torch.equal(w, old) for w, old in zip(denoiser.network.parameters(), weights, strict=True))
    assert torch.equal(merged(noisy), moved)
    assert torch.equal(deepcopy(denoiser.network)(noisy), before)
    assert not any(weight.requires_grad for weight in denoiser.network.parameters())


def test_the_precision_is_the_programs_own(tmp_path: Path) -> None:
    add_model(program_file(tmp_path, program(Plain())), TOLD)
    denoiser, noisy = load_denoiser("theirs"), torch.rand(1, 1, 32, 40)
    before = denoiser.network(noisy)
    placed = denoiser.place(torch.device("cpu"), torch.bfloat16)
    assert placed.network.compute_dtype == torch.float32
    assert torch.equal(placed.network(noisy), before)


def test_a_size_that_a_program_does_not_take_is_named(tmp_path: Path) -> None:
    class Windowed(Plain):
        def forward(self, noisy: Tensor) -> Tensor:
            return F.conv2d(noisy, torch.ones(1, 1, 33, 33))[:, :, :1, :1] * 0 + self.plain(noisy)

    made = program(Windowed())
    from napari_gaintune.models.networks.program import ProgramNetwork

    network = ProgramNetwork(made, receptive_field_radius=3, stride=1, is_blind=False, multiple=1)
    with pytest.raises(ImageError, match="20 x 24 px: the program cannot compute them.*larger frames"):
        network(torch.rand(1, 1, 20, 24))


@pytest.mark.parametrize(
    "settings",
    [
        {"parameters": "all-weights", "learning_rate": 1e-3},
        {"method": "restore-from-restored", "learning_rate": 1e-3},
        {"method": "lan", "learning_rate": 1e-2},
        {"parameters": "input-offset", "objective": "sure", "stopping": "fixed", "learning_rate": 1e-2},
    ],
    ids=str,
)
@pytest.mark.parametrize("network", [Plain(), Pooling()], ids=lambda network: type(network).__name__)
def test_a_frame_is_denoised_and_repeats_bit_for_bit(
    network: nn.Module, settings: dict[str, Any], tmp_path: Path
) -> None:
    add_model(program_file(tmp_path, program(network)), TOLD | {"dose_range_e_per_px": (0.1, 100.0)})
    counts = np.random.default_rng(1).poisson(5, (50, 61)).astype(np.uint16)
    asked: dict[str, Any] = {"model": "theirs", "detector_gain": 1.0, "steps": 10} | settings
    first, again, plain = denoise(counts, **asked), denoise(counts, **asked), denoise(counts, **asked | {"steps": 0})
    assert np.array_equal(first.image, again.image)
    assert np.isfinite(first.image).all()
    assert first.frames[0].steps_run == 10
    if settings.get("stopping", "") == "fixed" or "method" in settings:
        assert not np.array_equal(first.image, plain.image)
    expected = predict(load_denoiser("theirs").network, torch.from_numpy(counts.astype(np.float32)))
    assert np.array_equal(plain.image[0] if plain.image.ndim == 3 else plain.image, expected.numpy())


def test_an_adapted_state_is_saved_and_starts_another(tmp_path: Path) -> None:
    add_model(program_file(tmp_path, program(Plain())), TOLD)
    counts, state = np.random.default_rng(1).poisson(5, (50, 61)).astype(np.uint16), str(tmp_path / "state.safetensors")
    asked: dict[str, Any] = {"model": "theirs", "method": "restore-from-restored", "learning_rate": 1e-3}
    adapted = denoise(counts, **asked, steps=5, save_adapted=state)
    assert np.array_equal(denoise(counts, **asked, steps=0, adapted=state).image, adapted.image)


def test_the_commands_take_a_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, frame = program_file(tmp_path, program(Plain())), tmp_path / "frame.npy"
    np.save(frame, np.random.default_rng(1).poisson(5, (50, 61)).astype(np.uint16))
    assert main(["add-model", str(file), "--unit", "electrons"]) == 0
    assert "added; use it with --model theirs" in capsys.readouterr().out
    assert main(["models"]) == 0
    assert "torchscript" in capsys.readouterr().out
    assert main(["models", "theirs"]) == 0
    assert capsys.readouterr().out.startswith("theirs: torchscript, any")
    words = ["denoise", str(frame), "--model", "theirs", "--steps", "3", "-o"]
    assert main([*words, str(tmp_path / "gains.tif")]) != 0
    assert "--parameters all-weights" in capsys.readouterr().err
    assert main([*words, str(tmp_path / "weights.tif"), "--parameters", "all-weights"]) == 0
    assert (tmp_path / "weights.tif").is_file()


def test_a_program_is_never_chosen_by_itself(tmp_path: Path) -> None:
    add_model(program_file(tmp_path, program(Plain())), TOLD | {"modality": "HRTEM"})
    counts = np.random.default_rng(1).poisson(0.45 * 30, (130, 132)).astype(np.uint16)
    recipe = denoise(counts, modality="HRTEM", steps=0).provenance
    assert "theirs" not in json.dumps(recipe, default=str)
