"""Who is asked, by what the user gave: the one place where that is chosen."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evensight.errors import InputError
from evensight.models.answering import Subject, Way
from evensight.settings import checked


def model_here(model: str | None, adapter: Path | None, batch_size: int, way: Way) -> Subject:
    """A model of transformers that is loaded here.

    Args:
        model: `embedded`, a local folder, or a Hub id.
        adapter: An adapter to put on it.
        batch_size: How many questions are asked at a time.
        way: How it is asked.

    Raises:
        InputError: No model is named.
    """
    from evensight.models.asked_here import ModelHere

    if model is None:
        raise InputError("there is nobody to ask: name a model with `--model`, or a server with `--server URL`")
    return ModelHere(model, adapter, batch_size, way)


def on_ray(subject: Subject, n_workers: int | None) -> Subject:
    """A model that the workers of a Ray cluster are asked for, each of which holds it.

    Args:
        subject: What `model_here` gives.
        n_workers: How many workers; None for as many as the cluster has GPUs, or without any, cores.

    Raises:
        InputError: Several processes are to ask.
    """
    from evensight.models.processes import processes
    from evensight.models.ray_engine import OnRay

    if processes().n > 1:
        raise InputError("`--engine ray` shares the questions out by itself: leave out `accelerate launch`")
    return OnRay(subject, n_workers)


def model_at_server(url: str, model: str | None, adapter: Path | None, way: Way, more: Mapping[str, Any]) -> Subject:
    """A model that a server has; it isn't met yet.

    Args:
        url: The server's.
        model: What the server calls the model; None where it has just one.
        adapter: Must be None: what a server serves is put together there.
        way: How it is asked.
        more: Further settings of `ServerSettings`.

    Raises:
        InputError: A setting is unknown or out of range, an adapter is given, or several processes are to ask.
    """
    from evensight.models.processes import processes
    from evensight.models.server import ModelAtServer
    from evensight.models.servers.settings import ServerSettings

    if adapter is not None:
        raise InputError(
            "`--adapter` can't be put on a model at a server: serve it with the adapter, and name that with `--model`"
        )
    if processes().n > 1:
        raise InputError("a server is asked by one process: leave out `accelerate launch`, and raise `--in-flight`")
    given = {"url": url, "model": model, "by": way.by, "priors": way.priors, "max_new_tokens": way.max_new_tokens}
    return ModelAtServer(checked(ServerSettings, {**given, **more}, "the options"))
