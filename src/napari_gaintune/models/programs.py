"""TorchScript programs: read only if their code touches nothing but numbers."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator

import torch

from ..errors import ModelError
from .networks.program import ProgramNetwork

# What reaches beyond numbers: files, other processes, and objects of C++ that are made while a program is read. Code runs
# then already, in default values and in __setstate__, so that the text is looked at before anything is read.
FORBIDDEN = frozenset({"save", "from_file", "__setstate__", "classes", "rpc_async", "rpc_sync", "rpc_remote"})
NAMESPACES = ("prim", "aten")  # of ``ops``; ``torch.x`` is ``ops.aten.x``
OBJECTS_OF_C = re.compile(rb"torch[.\n]classes")
TOKEN = re.compile(
    r"""(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|(?P<space>\s+)|(?P<word>\w+)|(?P<odd>[#\\"'])|(?P<sign>.)""",
    re.ASCII,
)
LETTER_BY_NUMBER = re.compile(r"\\[0-9xXuUN]")
CURE = "use weights of one of the program's own architectures, or save the network again without it"


def read_program(content: bytes, name: str) -> torch.jit.ScriptModule:
    """The program in the bytes of a TorchScript file, on the CPU, in float32 and frozen.

    TorchScript is a small language for tensors, read by C++ without unpickling Python objects; but it can write files, and
    runs code while it is read. Raises ModelError if any of its code names an operation that does more than compute, is
    written so that one could be hidden, or if the file holds no program.
    """
    _check_code(content, name)
    with warnings.catch_warnings():
        # torch asks authors to move to torch.export, whose reader unpickles; see decision 014
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            program = torch.jit.load(io.BytesIO(content), map_location="cpu")  # type: ignore[no-untyped-call]
        except (RuntimeError, ValueError) as error:
            raise ModelError(
                f"{name}: not a readable TorchScript program ({_last_line(error)}); save it again"
            ) from error
    for weight in program.parameters():
        weight.requires_grad_(False)
    loaded: torch.jit.ScriptModule = program.float().eval()
    return loaded


def program_network(content: bytes, options: dict[str, int | bool], name: str) -> ProgramNetwork:
    """The program with what was measured of it. Raises ModelError as ``read_program`` does, or for other options."""
    program = read_program(content, name)
    try:
        return ProgramNetwork(program, **options).requires_grad_(False).eval()  # type: ignore[arg-type]
    except TypeError as error:
        raise ModelError(f"{name}: its card's options are {options}: {error}; add the program again") from error


def _check_code(content: bytes, name: str) -> None:
    """Asks the reader that will read the program for the text of all its code."""
    buffer = io.BytesIO(content)
    try:
        archive = torch._C.PyTorchFileReader(buffer)
        records = archive.get_all_records()
        names = {record.lower() for record in records}  # torch finds a record whatever its case is
        code = [archive.get_record(record) for record in records if record.lower().endswith(".py")]
        objects = [archive.get_record(record) for record in ("data.pkl", "constants.pkl") if record in records]
    except RuntimeError as error:
        raise ModelError(f"{name}: not a readable TorchScript program ({_last_line(error)}); save it again") from error
    is_old = "model.json" in names or content[4:8] == b"PTMF"  # other readers, other rules
    if is_old or len(names) < len(records) or len(objects) < 2 or not code:
        raise ModelError(
            f"{name}: holds no TorchScript program of today; save one with torch.jit.save, as torch.save and torch.export "
            "write files whose readers unpickle"
        )
    if any(OBJECTS_OF_C.search(record) for record in objects):
        raise ModelError(f"{name}: holds objects of C++ (torch.classes), as quantised networks do; save it unquantised")
    for record in code:
        if reason := objection(record):
            raise ModelError(f"{name}: its code {reason}, and a model may only compute; {CURE}")


def objection(code: bytes) -> str:
    """What speaks against running this text of a TorchScript program, "" for nothing."""
    try:
        text = code.decode("ascii")
    except UnicodeDecodeError:
        return "holds letters that are not ASCII"
    words = [*_tokens(text), ("end", "")]
    for place, (kind, word) in enumerate(words):
        kind_before, word_before = words[place - 1] if place else ("", "")
        named = word[1:-1] if kind == "text" else word
        if kind in ("word", "text") and named in FORBIDDEN:
            return f"names {named!r}"
        if kind == "odd" or kind == kind_before == "text" or (kind == "text" and LETTER_BY_NUMBER.search(word)):
            return f"is written in a way in which names can be hidden ({word[:20]!r})"
        if kind == "word" and word == "ops" and word_before != ".":
            following = tuple(following for _, following in words[place + 1 : place + 3])
            if following[:1] != (":",) and following not in [(".", namespace) for namespace in NAMESPACES]:
                return f"uses ops{''.join(following)}"
    return ""


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """Kind and text of each: text in quotes, word, sign, or odd; without the space between them."""
    for token in TOKEN.finditer(text):
        if token.lastgroup and token.lastgroup != "space":
            yield token.lastgroup, token[0]


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
