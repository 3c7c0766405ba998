"""Launcher of the command line from a clone: ``python cli.py extract``; the installed command is ``cellfeat``."""

from pathlib import Path

from cellfeat.commands import main

if __name__ == "__main__":
    main(default_config=Path(__file__).parent / "configs" / "default.yaml")
