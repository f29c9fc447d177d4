"""Prediction in tiles is prediction of the whole."""

from __future__ import annotations

import pytest
import torch

from napari_gaintune.models.networks import Network
from napari_gaintune.models.prediction import predict, predict_shifted, predict_turned, spans

from .test_networks import SMALL, make


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("shape", [(90, 131), (67, 48), (48, 48)])
def test_tiled_equals_whole(name: str, shape: tuple[int, int]) -> None:
    network: Network = make(name)
    frame = torch.rand(shape)
    whole = network(frame[None, None])[0, 0]
    tiled = predict(network, frame, tile_px=32)
    # float32 sums taken in another order: a few units in the last place, 2**-23, of the largest value
    torch.testing.assert_close(tiled, whole, rtol=0, atol=64 * 2**-23 * float(whole.abs().max()))


@pytest.mark.parametrize("name", SMALL)
def test_tiled_equals_whole_in_bfloat16(name: str) -> None:
    network = make(name)
    network.compute_dtype = torch.bfloat16
    frame = torch.rand(70, 101)
    whole = network(frame[None, None])[0, 0]
    # a sum that falls on the other side of a rounding boundary moves one unit, 2**-8, in one layer
    assert (predict(network, frame, tile_px=32) - whole).abs().max() <= 4 * 2**-8 * whole.abs().max()


def test_a_missing_halo_would_be_seen() -> None:
    network = make("dncnn")
    frame = torch.rand(64, 64)
    whole = network(frame[None, None])[0, 0]
    network.receptive_field_radius = 1
    assert (predict(network, frame, tile_px=32) - whole).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("length", "tile", "halo", "stride"), [(100, 32, 5, 1), (97, 32, 11, 4), (31, 64, 40, 8), (513, 512, 75, 8)]
)
def test_spans_cover_each_pixel_once_and_keep_the_pooling_phase(length: int, tile: int, halo: int, stride: int) -> None:
    covered: list[int] = []
    for written, read in spans(length, tile, halo, stride):
        covered.extend(range(written.start, written.stop))
        assert read.start % stride == 0
        assert (length - read.stop) % stride == 0
        assert read.start <= max(0, written.start - halo)
        assert read.stop >= min(length, written.stop + halo)
        assert read.start >= 0
        assert read.stop <= length
    assert covered == list(range(length))


@pytest.mark.parametrize("name", SMALL)
def test_the_mean_of_all_orientations_turns_with_the_frame(name: str) -> None:
    network, frame = make(name), torch.rand(64, 96)
    mean = predict_turned(network, frame)
    # eight float32 numbers added in another order: a few units in the last place, 2**-23, of the largest
    close = {"rtol": 0, "atol": 16 * 2**-23 * float(mean.abs().max())}
    torch.testing.assert_close(predict_turned(network, frame.rot90(1)), mean.rot90(1), **close)
    torch.testing.assert_close(predict_turned(network, frame.flip(0)), mean.flip(0), **close)
    if not network.is_blind:  # a blind one looks from four sides by itself
        assert not torch.allclose(predict(network, frame.flip(0)), predict(network, frame).flip(0), **close)


@pytest.mark.parametrize("name", SMALL)
def test_shifts_are_averaged_where_a_network_gives_squares(name: str) -> None:
    network, frame = make(name), torch.rand(48, 65)
    mean, single = predict_shifted(network, frame), predict(network, frame)
    shifts = [(down, right) for down in range(network.fold) for right in range(network.fold)]
    parts = [predict(network, frame[down:, right:].contiguous())[5 - down, 7 - right] for down, right in shifts]
    # four float32 numbers added in another order: a unit or two in the last place, 2**-23
    torch.testing.assert_close(mean[5, 7], torch.stack(parts).mean(), rtol=4 * 2**-23, atol=0)
    assert torch.equal(mean[0, 0], single[0, 0])  # no shifted frame has the first pixel
    assert torch.equal(mean, single) == (len(parts) == 1)


def test_the_mean_of_all_shifts_does_not_know_the_squares() -> None:
    """Without pooling it shifts with the frame, wherever no edge is felt; a single prediction does not."""
    network, frame = make("dncnn, folded"), torch.rand(64, 64)
    radius = network.receptive_field_radius + 2
    inner = slice(radius, -radius)
    for prediction, knows in ((predict_shifted, False), (predict, True)):
        shifted = prediction(network, frame[1:, 1:].contiguous())[inner, inner]
        difference = (shifted - prediction(network, frame)[1:, 1:][inner, inner]).abs().max()
        # the same sums in another order: some units in the last place of values around 1
        assert (difference > 64 * 2**-23) == knows
