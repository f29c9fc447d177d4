"""Weights that bear other people's names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from skimage.io import imread
from torch import Tensor, nn
from torch.nn import functional as F

from napari_gaintune.evaluation.metrics import psnr
from napari_gaintune.models.catalogue import load_network
from napari_gaintune.models.foreign import with_our_names
from napari_gaintune.models.prediction import predict

from .test_networks import make


class Reference(nn.Module):
    """The dilated UNet written with torch's own layers, under its authors' names."""

    def __init__(self, bias: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 5, padding=2, bias=bias)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1, bias=bias)
        self.conv3 = nn.Conv2d(4, 8, 3, stride=2, padding=1, bias=bias)
        self.conv4 = nn.Conv2d(8, 8, 3, padding=1, bias=bias)
        self.conv5 = nn.Conv2d(8, 8, 3, padding=2, dilation=2, bias=bias)
        self.conv6 = nn.Conv2d(8, 8, 3, padding=4, dilation=4, bias=bias)
        self.conv7 = nn.ConvTranspose2d(8, 8, 4, stride=2, padding=1, bias=bias)
        self.conv8 = nn.Conv2d(12, 4, 3, padding=1, bias=bias)
        self.conv9 = nn.Conv2d(4, 1, 5, padding=2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        skip = x = F.relu(self.conv2(F.relu(self.conv1(x))))
        for conv in (self.conv3, self.conv4, self.conv5, self.conv6, self.conv7):
            x = F.relu(conv(x))
        out: Tensor = self.conv9(F.relu(self.conv8(torch.cat([x, skip], dim=1))))
        return out


@pytest.mark.parametrize("bias", [True, False])
def test_the_dilated_unet_is_its_authors_network(bias: bool) -> None:
    torch.manual_seed(1)
    reference, noisy = Reference(bias), torch.rand(2, 1, 26, 34)
    weights = with_our_names("dilated-unet", reference.state_dict())
    network = load_network("dilated-unet", {"width": 4, "bias": bias}, weights, "authors'")
    with torch.no_grad():
        torch.testing.assert_close(network(noisy), reference(noisy), rtol=1e-4, atol=1e-5)


def test_our_own_names_are_left_alone() -> None:
    for kind, architecture in (("dilated UNet", "dilated-unet"), ("dncnn", "dncnn")):
        weights = dict(make(kind).state_dict())
        assert with_our_names(architecture, weights) is weights


@pytest.mark.parametrize("bias", [True, False])
def test_the_authors_weights_denoise(bias: bool, shared_data: Path) -> None:
    """Within their range, 50 of 255: some 10 dB above the noise on photographs (their paper's networks all are)."""
    weights = load_file(shared_data / "weights" / f"unet_bias{'' if bias else '_free'}_sigma0-55.safetensors")
    network = load_network("dilated-unet", {"bias": bias}, with_our_names("dilated-unet", weights), "authors'")
    file = sorted((shared_data / "data" / "natural" / "Set12").glob("*.png"))[0]
    clean = imread(file)[:128, :128].astype(np.float32) / 255
    noisy = clean + np.random.default_rng(0).normal(0, 50 / 255, clean.shape).astype(np.float32)
    denoised = predict(network, torch.from_numpy(noisy)).numpy()
    assert psnr(denoised, clean, 1) > psnr(noisy, clean, 1) + 9
