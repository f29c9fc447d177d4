"""``napari-gaintune transfer``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from tqdm import tqdm

from ..adaptation.config import checked
from ..pipeline.transfer_config import TransferConfig
from .flags import as_flags, plain
from .interrupts import Interrupts
from .outcome import DONE, FAILED, INTERRUPTED, complain

SHOWN_NOTES = 20
DEFAULTS = checked(TransferConfig, {})

if TYPE_CHECKING:
    Settings = TransferConfig
else:
    Settings = as_flags(TransferConfig)


def transfer(
    pairs: Path,
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    settings: Settings = DEFAULTS,
) -> int:
    """Teach a model the noise of your microscope from pairs of noisy frames and averaged references.

    Parts of every frame are held out and judge whether it got better; if no step did, nothing is written. The new model
    stands in the list of models under the file's name. Ctrl-C ends after the current step and keeps the best so far.

    Parameters
    ----------
    pairs
        A folder that holds noisy/ and clean/, with the same file names in both. A file in clean/ is the average of aligned
        frames of the same place, in the same unit; it serves all frames of the file of its name in noisy/.
    output
        The file to write, NAME.safetensors; its card, NAME.json, is written beside it. Neither is ever replaced.
    """
    from ..pipeline.transfer import TransferJob

    job = TransferJob(pairs, output, plain(TransferConfig, settings))
    notes = [note for pair in job.pairs for note in pair.notes]
    for note in notes[:SHOWN_NOTES]:
        print(f"note: {note}", file=sys.stderr)
    if len(notes) > SHOWN_NOTES:
        print(f"note: and {len(notes) - SHOWN_NOTES} more", file=sys.stderr)
    steps = job.run(asked := Interrupts())
    with asked, tqdm(desc=output.stem, total=job.config.steps, unit="step") as bar:
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                ended = end.value
                break
            bar.update(step.step - bar.n)
            bar.set_postfix_str(f"best step {step.best_step}")
    errors = f"squared error to the held-out references {ended.error_before:.4g} before, {ended.error_after:.4g} after"
    if ended.card is None:
        stopped = INTERRUPTED if asked() else FAILED
        return complain(
            f"no step of {ended.steps_run} was clearly better than {job.config.model}; nothing was written", stopped
        )
    print(f"{ended.path}: {len(job.pairs)} pairs, step {ended.best_step} of {ended.steps_run} kept; {errors}")
    print(f"added; use it with --model {ended.card.name}")
    return DONE
