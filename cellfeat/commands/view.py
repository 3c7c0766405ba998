"""``cellfeat view``."""

import getpass
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cellfeat.commands.options.settings import OWN_CONFIG, resolve_settings
from cellfeat.commands.options.value_types import PATH_OR_URL
from cellfeat.commands.output.lines import say, show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellfeat.page.content import PageContent
    from cellfeat.page.serving.access import Access
    from cellfeat.page.serving.server import ServedPage
    from cellfeat.page.serving.viewing import MapChoice, Viewed
    from cellfeat.storage.url import Location


@click.command("view")
@click.argument("results", required=False, type=PATH_OR_URL)
@click.option("--features", type=PATH_OR_URL, help="Feature file of the results, where it is not where it was.")
@click.option(
    "--fitted-on", type=PATH_OR_URL, help="Feature file that a scored head was fitted on: its samples are shown, too."
)
@click.option("--images", type=PATH_OR_URL, help="Folder or address of the images, where they are not where they were.")
@click.option("--no-images", is_flag=True, help="Read no image: show thumbnails that are kept, and no exact pixels.")
@click.option(
    "--map",
    "map_",
    type=click.Choice(["tsne", "pca", "none"]),
    default="tsne",
    help="Map to make where none is kept: tsne takes a while, once.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Port of this machine, 0 for any free one; default: the same each time for the same samples.",
)
@click.option("--no-browser", is_flag=True, help="Open no browser, and only print the address.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Write the page with its pictures, to give it away, and serve nothing: FILE.html, or a folder.",
)
def command(
    results: "Location | None",
    features: "Location | None",
    fitted_on: "Location | None",
    images: "Location | None",
    *,
    no_images: bool,
    map_: "MapChoice",
    port: int | None,
    no_browser: bool,
    output: Path | None,
) -> None:
    """Look at the samples behind RESULTS in a browser, until Ctrl-C.

    RESULTS is a folder that compare, fit, score or audit wrote, a feature file, or a page that was written (an HTML
    file, or its folder). Without it, the comparison of cellfeat.yaml in this folder is shown, else its newest results,
    else its feature file.

    Thumbnails and a map are made once, and kept beside the feature file; of more than 100,000 samples thumbnails are
    made when they are looked at. A sample that is shown large has the exact pixels of its image.

    Only this machine can reach the page, and only with the token in the address that is printed.
    """
    from cellfeat.commands.output.console import ConsoleObserver
    from cellfeat.page.serving.live_pictures import live_pictures
    from cellfeat.page.serving.server import ServedPage
    from cellfeat.page.serving.viewing import make_missing_map, write_viewed

    viewed = _found(results, features, fitted_on)
    with (
        ConsoleObserver("thumbnails") as observer,
        live_pictures(viewed.features, images, observer, reads_images=not no_images) as pictures,
    ):
        with ConsoleObserver("t-SNE", unit="steps") as steps:
            make_missing_map(viewed.mapped, map_, steps.advance, steps.say)
        content = pictures.added_to(viewed.content())
        if output is None:
            _serve(viewed, content, ServedPage(content, pictures.crop), port, opens=not no_browser)
        else:
            show(f"page: {write_viewed(content, output)}")


def _found(results: "Location | None", features: "Location | None", fitted: "Location | None") -> "Viewed":
    from cellfeat.page.serving.viewing import Viewed, newest_results

    if results is not None:
        return Viewed.of(results, features, fitted)
    settings = resolve_settings(None, (), {"extraction.output": features})
    newest = newest_results(settings.results)
    if newest is None and features is None and not _exists(settings.extraction.output):
        raise click.UsageError(
            f"Missing argument 'RESULTS': there are no results in {settings.results}, and there is no feature file "
            f"{settings.extraction.output}. Name results, or go to the folder of {OWN_CONFIG}; cellfeat compare "
            "makes them."
        )
    return Viewed.of(settings.extraction.output if newest is None else newest, features, fitted)


def _exists(location: "Location") -> bool:
    return not isinstance(location, Path) or location.exists()


def _serve(viewed: "Viewed", content: "PageContent", page: "ServedPage", port: int | None, *, opens: bool) -> None:
    from cellfeat.commands import Terminated
    from cellfeat.page.serving.server import PageServer, server_at_usual_port
    from cellfeat.text import counted

    with server_at_usual_port(page) if port is None else PageServer(page, port) as server:
        show(f"{viewed.name}: {counted(content.page['nSamples'], 'sample')}")
        show(f"open {server.access.address}")
        for line in _ssh_lines(server.access):
            show(line)
        show("only this machine can reach it, and only with this address; Ctrl-C ends it")
        sys.stdout.flush()  # a pipe would keep the address until the end
        if opens and _has_browser():
            _open(server.access)
        try:
            server.serve_forever()
        except Terminated:
            raise
        except KeyboardInterrupt:
            show("ended")


def _ssh_lines(access: "Access") -> "Iterator[str]":
    """How to reach the page from the machine that one sits at, where this one is reached by ssh."""
    connection = os.environ.get("SSH_CONNECTION", "").split()
    if len(connection) == 4:
        _, _, host, port = connection
        option = "" if port == "22" else f"-p {port} "
        yield (
            f"over ssh: run this on your own machine, then open the address there:\n"
            f"ssh {option}-N -L {access.port}:127.0.0.1:{access.port} {getpass.getuser()}@{host}"
        )


def _has_browser() -> bool:
    """Whether a window can open here: over ssh, or without a screen, a browser of text would take the terminal."""
    if "SSH_CONNECTION" in os.environ:
        return False
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _open(access: "Access") -> None:
    import webbrowser

    # Other users can see the arguments of a browser that starts: they get an address that opens once.
    if not webbrowser.open(access.ticket_address()):
        say("no browser was found: open the address yourself")
