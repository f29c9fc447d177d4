"""Where to compute, and in which precision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ..errors import DeviceError


def choose_device(wish: str) -> torch.device:
    """``auto``, ``cpu``, ``cuda`` or ``cuda:1``. Raises DeviceError, with the reason, for a GPU that is not there."""
    if wish == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wish)
    except RuntimeError as error:
        raise DeviceError(f"device = {wish!r} is unknown; write auto, cpu, cuda or cuda:1") from error
    if device.type not in ("cpu", "cuda"):
        raise DeviceError(f"device = {wish!r} is not supported; write auto, cpu, cuda or cuda:1")
    if device.type == "cuda" and (reason := why_no_cuda()):
        raise DeviceError(f"device = {wish!r}: {reason}; use auto or cpu")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(f"device = {wish!r}: there are {torch.cuda.device_count()} CUDA GPUs, counted from 0")
    return device


def why_no_cuda() -> str:
    """Why CUDA cannot be used here, or "" where it can."""
    if torch.cuda.is_available():
        return ""
    if torch.version.cuda is None:
        return "this PyTorch was built without CUDA"
    return "PyTorch finds no CUDA GPU, or its driver is too old"


def choose_precision(wish: str, device: torch.device) -> torch.dtype:
    """The dtype of the inner layers for ``auto``, ``float32`` or ``bfloat16``."""
    if wish == "auto":
        return torch.bfloat16 if has_fast_bfloat16(device) else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[wish]


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return has_bfloat16_matrix_unit() or bool(torch.cpu._is_avx512_bf16_supported())


def has_bfloat16_matrix_unit() -> bool:
    """Whether this CPU has AMX tiles, the instructions that multiply bfloat16 matrices."""
    return bool(torch.cpu._is_amx_tile_supported())


OUT_OF_MEMORY = ("DefaultCPUAllocator", "not enough memory", "can't allocate memory", "out of memory")


def is_memory_error(error: RuntimeError) -> bool:
    """Whether torch ran out of memory: it has a type of its own for that on a GPU only."""
    return isinstance(error, torch.OutOfMemoryError) or any(phrase in str(error) for phrase in OUT_OF_MEMORY)


@contextmanager
def memory_errors_named(device: torch.device) -> Iterator[None]:
    """Turns out-of-memory errors, with torch a bare RuntimeError on the CPU, into a DeviceError with the cure."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise DeviceError(f"{device}: out of memory; choose smaller crops (crop_size_px) or fewer frames") from error
    except RuntimeError as error:
        if not is_memory_error(error):
            raise
        raise DeviceError(f"{device}: out of memory; choose smaller crops (crop_size_px) or fewer frames") from error
