"""The command line: one command a file, each a thin layer over the function of the same name.

Beside the commands stand packages: `options` that click shows, `steps` that several commands take, and `output` that
they write for people.
"""

import atexit
import io
import logging
import os
import signal
import sys
import threading
from importlib import import_module
from pathlib import Path

import click

from cellfeat.commands.output.lines import say
from cellfeat.errors import CellfeatError, ConfigError
from cellfeat.processors import bound_processors, usable_processors
from cellfeat.text import first_ten, is_unicode

# Threads that spin while they wait make two programs on one machine several times slower. OpenMP reads this when the
# first heavy library is loaded, so it is set before any of them.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Libraries start a thread for each processor that they see, and do not ask for the quota of a container.
if usable_processors() < bound_processors():
    os.environ.setdefault("OMP_NUM_THREADS", str(usable_processors()))

COMMANDS = (
    "init",
    "recommend",
    "extract",
    "import",
    "audit",
    "compare",
    "fit",
    "predict",
    "score",
    "view",
    "export",
    "figure",
    "run",
    "demo",
    "inspect",
    "verify",
    "list",
    "doctor",
)
_MODULES = {"import": "import_table"}
"""Modules whose name is not that of their command, which is a word of Python."""
EXIT_ERROR, EXIT_BUG, EXIT_INTERRUPTED, EXIT_TERMINATED = 1, 3, 130, 143


class Terminated(KeyboardInterrupt):
    """SIGTERM, which schedulers send before they kill a job: handled like Ctrl-C, with its own exit code."""


class _OnStderr(logging.Handler):
    """Prints lines of the log on stderr, also while a progress bar is drawn there."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


class CommandTable(click.Group):
    """The commands by name, imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, in the order of use."""
        # Not list(COMMANDS): once the command `list` is imported, its module is this package's `list`.
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command.

        Parameters
        ----------
        ctx
            Click's context.
        cmd_name
            Name of the command; an unknown name gives None.
        """
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"cellfeat.commands.{_MODULES.get(cmd_name, cmd_name)}")
        return module.command


@click.command(cls=CommandTable, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="cellfeat")
def cellfeat() -> None:
    """Embed cell images once with a frozen backbone; compare classifiers honestly, in seconds.

    \b
    cellfeat demo                     every step on generated cells, in minutes
    cellfeat init DIR                 look at your images, write cellfeat.yaml
    cellfeat recommend                choose network, layer, size, views on your images
    cellfeat extract                  images -> features/cells.h5
    cellfeat import TABLE             numbers that you have -> features/TABLE.h5
    cellfeat compare                  which head is best, with intervals
    cellfeat fit --head mlp           that head, evaluated and saved
    cellfeat view                     the cells behind the numbers, in a browser
    cellfeat predict --model DIR --images DIR
    cellfeat score --model DIR --images DIR --labels CSV
    cellfeat figure heads             figures for print: heads, confusion, map, contact sheets
    cellfeat export FEATURES --to h5ad  for other programs: scanpy, pycytominer, ONNX Runtime
    cellfeat doctor                   what is installed, and whether every step works here
    """  # noqa: D301, click reads the backspace as: keep these lines


def main(default_config: Path | None = None) -> None:
    """Run the command line, and exit with the code of its outcome.

    Parameters
    ----------
    default_config
        Settings below those of ``--config``: ``configs/default.yaml`` where `cli.py` is run from a clone.
    """
    codes: list[int] = []
    # Exit functions run in reverse order, so that this one comes after those of all libraries that a command imports.
    atexit.register(_end_process, codes)
    signal.signal(signal.SIGTERM, _terminate)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # As on stderr: a name that the encoding of a pipe lacks is escaped and does not end the command.
        sys.stdout.reconfigure(errors="backslashreplace")
    code = exit_code(sys.argv[1:], default_config)
    # The command has ended: a signal changes nothing after a success and ends anything else at once.
    _answer_signals_with(signal.SIG_DFL if code else signal.SIG_IGN)
    codes.append(code)
    sys.exit(code)


def _end_process(codes: list[int]) -> None:
    """End the process at once: Python would free PyTorch's modules and libraries one by one, for up to a second.

    Parameters
    ----------
    codes
        The exit code; empty where the command did not come to its end.
    """
    if not codes:
        return
    logging.shutdown()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        # Python reports a full disk or a closed pipe, and exits with 120.
        return
    os._exit(codes[0])


def _show_log() -> None:
    """Show what the package logs, such as a request to an object store that is tried again."""
    log = logging.getLogger("cellfeat")
    if not any(isinstance(handler, _OnStderr) for handler in log.handlers):
        log.addHandler(_OnStderr())
        log.setLevel(logging.INFO)


_CONTINUES = (
    "finished batches (extract) and finished folds (compare, fit, audit) are kept: start the same command again to "
    "continue"
)

_TERMINATED = threading.Event()
"""Set by SIGTERM: a library may replace the exception, as Ray does by a plain KeyboardInterrupt."""


def _terminate(*_: object) -> None:
    _TERMINATED.set()
    raise Terminated


def _answer_signals_with(handler: signal.Handlers) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)


def _check_names(names: list[str]) -> None:
    """Refuse arguments and a working folder that are not valid UTF-8, before any work: no record can hold them."""
    wrong = [name for name in names if not is_unicode(name)]
    if wrong:
        raise ConfigError(
            f"{first_ten(wrong)}: the name is not valid UTF-8; rename the file or folder, or make a symbolic link with "
            "another name to it"
        )


def _code_of_an_error() -> int:
    # SIGTERM to a whole group also ends what a command relies on, such as a Ray cluster: its loss is seen first.
    return EXIT_TERMINATED if _TERMINATED.is_set() else EXIT_ERROR


def exit_code(arguments: list[str], default_config: Path | None = None) -> int:
    """Run the command line and give its exit code.

    0; 1 for an error that the user can mend; 2 for wrong usage; 3 for a bug, with its traceback; 130 after Ctrl-C; 143
    after SIGTERM.

    Parameters
    ----------
    arguments
        The command and its options.
    default_config
        As for `main`.
    """
    _show_log()
    _TERMINATED.clear()
    try:
        _check_names([*arguments, str(Path.cwd())])
        cellfeat.main(arguments, prog_name="cellfeat", standalone_mode=False, obj=default_config)
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        say(shown.getvalue().rstrip("\n"))
        return error.exit_code
    except CellfeatError as error:
        say(f"error: {error}")
        return _code_of_an_error()
    except OSError as error:
        say(f"error: {error.filename or arguments[0]}: {error.strerror or error}")
        return _code_of_an_error()
    except (click.Abort, KeyboardInterrupt) as error:
        # Cleaning up is done. Another signal now would only print an ignored exception.
        _answer_signals_with(signal.SIG_DFL)
        # click makes an Abort of it
        cause = error.__cause__ or error
        is_terminated = _TERMINATED.is_set() or isinstance(cause, Terminated)
        # A command that cannot be continued says itself what is kept.
        say(f"{'terminated' if is_terminated else 'interrupted'}; {str(cause) or _CONTINUES}")
        return EXIT_TERMINATED if is_terminated else EXIT_INTERRUPTED
    except BaseException as error:
        if isinstance(error, SystemExit):
            raise
        sys.excepthook(type(error), error, error.__traceback__)
        say("this is a bug in cellfeat: please report it with the lines above")
        return EXIT_BUG
    return 0
