"""A listing kept as Parquet beside no set, so that a large file of annotations is checked once.

The key is the SHA-256 of the file's bytes. What is kept is the listing before images are looked for, so that what
can't be used is the same with and without it. Every file's hash stands in `meta.json`, and that one's own in itself:
what is damaged, half or foreign is not read, and made anew.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from evensight.caches import cache_folder
from evensight.coco.instances import ObjectColumns
from evensight.coco.listing import Fault, Listing, Outlines, chunks
from evensight.errors import InputError
from evensight.runs import atomic_folder, hash_file, hash_json, read_json, write_json

FORMAT = 2
"""Another number for another way of checking or of keeping: what older versions left is not read."""
_META = "meta.json"
_OBJECTS, _IMAGES, _FAULTS, _OUTLINES = "objects", "images", "faults", "segmentations"
_UNREADABLE = (InputError, OSError, ValueError, KeyError, TypeError, IndexError, pa.ArrowException)


def read_kept(digest: str, *, with_segmentations: bool) -> Listing | None:
    """The listing of the file of this SHA-256; None where it isn't kept, or isn't whole."""
    folder = _folder(digest)
    if folder is None or not folder.is_dir():
        return None
    try:
        return _read(folder, with_segmentations=with_segmentations)
    except _UNREADABLE:
        return None


def keep(digest: str, listing: Listing, outlines: Outlines) -> None:
    """Keeps a listing and its objects' segmentations; goes on without where that can't be."""
    folder = _folder(digest)
    if folder is None:
        return
    try:
        with atomic_folder(folder) as temporary:
            _write(temporary, listing, outlines)
    except OSError:
        return


def _folder(digest: str) -> Path | None:
    caches = cache_folder("instances")
    return None if caches is None else caches / f"{digest}-{FORMAT}"


def _write(folder: Path, listing: Listing, outlines: Outlines) -> None:
    tables = {_OBJECTS: _objects_table(listing.objects), _IMAGES: _images_table(listing)}
    tables[_FAULTS] = pa.table(dict(zip(Fault._fields, zip(*listing.faults, strict=True), strict=False)))
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet", compression="zstd")
    _write_outlines(folder / f"{_OUTLINES}.parquet", outlines)
    facts = {
        "n_entries": listing.n_entries,
        "categories": listing.categories,
        "uncounted": listing.uncounted,
        "files": {name: hash_file(folder / f"{name}.parquet") for name in (*tables, _OUTLINES)},
    }
    write_json(folder / _META, facts | {"hash": hash_json(facts)})


def _write_outlines(path: Path, outlines: Outlines) -> None:
    schema = pa.schema([("segmentation", pa.binary())])
    # Outlines are all different: a dictionary of them would only be made to be thrown away.
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=False) as writer:
        for chunk in chunks(outlines):
            writer.write_batch(pa.record_batch([chunk], schema))


def _objects_table(columns: ObjectColumns) -> pa.Table:
    edges = {f"{edge}_px": columns.boxes_xyxy_px[:, k] for k, edge in enumerate(("x0", "y0", "x1", "y1"))}
    others = (columns.ids, columns.image_ids, columns.category_codes, columns.is_crowd, columns.n_parts)
    return pa.table(dict(zip(("id", "image_id", "category", "is_crowd", "n_parts"), others, strict=True)) | edges)


def _images_table(listing: Listing) -> pa.Table:
    width, height = listing.sizes_wh.T
    names = pa.array([name.encode(errors="surrogatepass") for name in listing.names], pa.binary())
    return pa.table({"id": listing.image_ids, "width": width, "height": height, "name": names})


def _read(folder: Path, *, with_segmentations: bool) -> Listing:
    meta = read_json(folder / _META, "cache")
    if meta.pop("hash") != hash_json(meta):
        raise ValueError("the cache's own facts are damaged")
    objects, images, faults = (_table(folder, name, meta["files"]) for name in (_OBJECTS, _IMAGES, _FAULTS))
    return Listing(
        tuple(meta["n_entries"]),
        tuple(meta["categories"]),
        images["id"].to_numpy(),
        np.column_stack([images["width"].to_numpy(), images["height"].to_numpy()]),
        tuple(name.decode(errors="surrogatepass") for name in images["name"].to_pylist()),
        _columns(objects),
        tuple((image_id, code) for image_id, code in meta["uncounted"]),
        tuple(map(Fault._make, zip(*(column.to_pylist() for column in faults.columns), strict=True))),
        _table(folder, _OUTLINES, meta["files"])["segmentation"] if with_segmentations else None,
    )


def _table(folder: Path, name: str, hashes: Mapping[str, Any]) -> pa.Table:
    path = folder / f"{name}.parquet"
    if hash_file(path) != hashes[name]:
        raise ValueError(f"`{path}` is damaged")
    return pq.ParquetFile(path).read()


def _columns(table: pa.Table) -> ObjectColumns:
    edges = [table[f"{edge}_px"].to_numpy() for edge in ("x0", "y0", "x1", "y1")]
    ids, image_ids, codes, crowds, parts = (
        table[name].to_numpy() for name in ("id", "image_id", "category", "is_crowd", "n_parts")
    )
    return ObjectColumns(ids, image_ids, codes, np.column_stack(edges), crowds, parts)
