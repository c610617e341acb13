"""The command line ``semidavil``: one file per command in ``commands``, exit codes here.

0: done · 1: it failed for a reason named in one sentence · 2: bad input, likewise · 130: Ctrl-C, with what was kept told.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

import typer

from semidavil_core import __version__
from semidavil_core.commands.adapt import adapt
from semidavil_core.commands.demo import demo
from semidavil_core.commands.evaluate import evaluate
from semidavil_core.commands.predict import predict
from semidavil_core.commands.prepare import prepare
from semidavil_core.commands.pretrain import pretrain
from semidavil_core.commands.running import BAD_INPUT, INTERRUPTED, exit_code_of
from semidavil_core.commands.suggest import suggest
from semidavil_core.commands.zero_shot import zero_shot

COMMANDS: Final[dict[str, Callable[..., int]]] = {
    "demo": demo,
    "pretrain": pretrain,
    "zero-shot": zero_shot,
    "prepare": prepare,
    "adapt": adapt,
    "predict": predict,
    "evaluate": evaluate,
    "suggest": suggest,
}

app = typer.Typer(
    name="semidavil",
    help="Adapt a segmentation model to a new image domain from a few scribbles, guided by a vision-language model.",
    epilog="Start with:  semidavil demo --out demo",
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _name, _command in COMMANDS.items():
    app.command(_name)(_command)

# Not exported by name in every version of typer: the family of its errors in what a person typed.
_UsageError: Final[type[Any]] = typer.BadParameter.__mro__[1]


def _print_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _options_before_the_command(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Tell more on standard error.")] = False,
    version: Annotated[  # noqa: ARG001 - its callback answers
        bool,
        typer.Option("--version", help="Print the version and end.", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(levelname)s %(name)s: %(message)s",
        force=True,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    arguments
        The words after ``semidavil``; those of the process by default.
    """
    # Read when torch is loaded: threads that wait sleep. Spinning ones make training several times slower beside other programs.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    words = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    try:
        code = app(words, prog_name="semidavil", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        return exit_code_of(KeyboardInterrupt()) or INTERRUPTED
    except _UsageError as error:
        command = next((word for word in words if word in COMMANDS), "")
        message = str(error.format_message()).strip().rstrip(".") + "."
        print(f"semidavil: {message} See: semidavil {command}{' ' if command else ''}--help", file=sys.stderr)
        return BAD_INPUT
    except Exception as error:
        known = exit_code_of(error)
        if known is None:
            raise
        return known
    return int(code or 0)


def run_and_exit() -> None:
    """The console script."""
    sys.exit(main())
