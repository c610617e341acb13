"""``python -m semidavil_core`` is ``semidavil``."""

from semidavil_core.cli import run_and_exit

run_and_exit()
