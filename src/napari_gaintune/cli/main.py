"""The program ``napari-gaintune``: its commands, and how errors become one line and an exit code."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter

from ..errors import GaintuneError
from .add_model import add_model
from .check import check
from .demo import demo
from .denoise import denoise
from .evaluate import evaluate
from .flags import usage_message
from .models import models
from .noise import noise
from .outcome import BAD_REQUEST, FAILED, INTERRUPTED, complain
from .recipe import recipe
from .training import figures, simulate, train
from .transfer import transfer

HELP = """Denoise electron micrographs with a pre-trained network that adapts itself to each noisy image (GainTuning).

Give a command --help for its settings, for example: napari-gaintune denoise --help"""


def _version() -> str:
    from .. import __version__

    return str(__version__)


app = App(
    name="napari-gaintune",
    help=HELP,
    help_format="markdown",
    version=_version,
    default_parameter=Parameter(negative=()),
)
app.command(denoise)
app.command(recipe)
app.command(models)
app.command(add_model)
app.command(transfer)
app.command(demo)
app.command(evaluate)
app.command(noise)
app.command(check)
app.command(simulate)
app.command(train)
app.command(figures)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (the program's own by default) and return its exit code.

    0 done, 1 failed while running, 2 asked for what cannot be done, 130 interrupted.
    """
    # Whoever ends the program, a scheduler or Ctrl-C, finds the same clean end.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # not every console's code page has e⁻
    try:
        code = app(
            sys.argv[1:] if arguments is None else arguments,
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
        sys.stdout.flush()
        return int(code or 0)
    except CycloptsError as error:
        command = " ".join(["napari-gaintune", *(error.command_chain or ())])
        return complain(f"{usage_message(error)}; see {command} --help", BAD_REQUEST)
    except GaintuneError as error:
        return complain(str(error), BAD_REQUEST)
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # python flushes standard output at its end
        return FAILED
    except MemoryError:
        return complain("out of memory; choose fewer or smaller frames", FAILED)
    except KeyboardInterrupt:
        return complain("interrupted; nothing was written", INTERRUPTED)
    finally:
        signal.signal(signal.SIGTERM, before)
