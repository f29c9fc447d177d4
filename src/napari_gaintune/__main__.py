"""``python -m napari_gaintune`` is the command ``napari-gaintune``."""

from __future__ import annotations

import sys

from .cli.main import main

if __name__ == "__main__":
    sys.exit(main())
