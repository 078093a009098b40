"""`evensight photos fetch`: COCO's photographs and annotations, downloaded, checked and unpacked."""

from pathlib import Path
from typing import Annotated

import typer


def fetch(
    name: Annotated[str, typer.Argument(help="coco-val (images and annotations) or coco-train (annotations).")],
    to: Annotated[Path, typer.Option(help="The folder for annotations/ and the images' folder.")] = Path("data/coco"),
    images: Annotated[bool, typer.Option("--images", help="Of coco-train, the images too (19 GB).")] = False,
    category: Annotated[
        list[str] | None,
        typer.Option(help="Only images that hold an object of this category, one by one; can be given again."),
    ] = None,
    limit: Annotated[int | None, typer.Option(help="At most so many images, one by one.", min=1)] = None,
    mirror: Annotated[
        str | None, typer.Option(help="A URL (https, http or file) that has the same paths as COCO's host.")
    ] = None,
    from_: Annotated[
        Path | None, typer.Option("--from", help="A folder in which COCO's zips lie already; it is only read.")
    ] = None,
    jobs: Annotated[int, typer.Option(help="How many single images at a time.", min=1, max=64)] = 8,
) -> None:
    """Fetches COCO 2017: goes on where it was stopped, and checks every byte that a known hash covers.

    Example: `evensight photos fetch coco-val --to data/coco`
    """
    from evensight.downloads.downloads import Downloader
    from evensight.downloads.fetch import Fetch, Wanted
    from evensight.downloads.sources import mirrored, source_named
    from evensight.errors import InputError

    source = source_named(name)
    wanted = Wanted(images or source.takes_all or bool(category), tuple(category or ()), limit)
    if limit is not None and not wanted.photos:
        raise InputError("`--limit` counts images, and none are wanted: add --images or --category NAME")
    if from_ is not None and not from_.is_dir():
        raise InputError(f"`{from_}` is not a folder: expected the one in which the zips lie")
    if mirror is not None:
        source = mirrored(source, mirror)
        if wanted.photos and not wanted.is_all and source.photo_bases[0].startswith("http:"):
            typer.echo(f"{mirror}: single images have no known hash, and plain http protects nothing", err=True)
    downloader = Downloader(n_at_once=jobs, tell=lambda line: typer.echo(line, err=True))
    n_photos = Fetch(source, to, downloader, jobs, from_, typer.echo).run(wanted)
    typer.echo("The photographs have licences of their own; each one's is in the annotations.")
    if n_photos:
        typer.echo(f"Next: evensight photos counts {to} --split {source.split}")
        typer.echo(f"      evensight photos make {to} --split {source.split} --out {to}-{source.split}-set")
    else:
        typer.echo(f"Next: evensight photos fetch {name} --to {to} --category cat --limit 500")
