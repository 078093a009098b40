"""A real model behind chat completions: its own chat template, greedy, and what vLLM has besides.

`prompt_logprobs` and `add_generation_prompt` mean what vLLM's documentation says, and `structured_outputs` holds the
generation to the tokens of the options.
"""

import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from evensight.models.loading import LoadedModel
from servers import Behaviour, Request, Say, completion


def serving(loaded: LoadedModel) -> Behaviour:
    """What a server says that holds this model."""
    lock = threading.Lock()

    def behaviour(request: Request, _: int) -> Say:
        with lock, torch.inference_mode():
            return Say(body=_answered(loaded, request))

    return behaviour


def _answered(loaded: LoadedModel, request: Request) -> dict[str, Any]:
    body, end = request.body, int(loaded.processor.tokenizer.eos_token_id)
    prompt = loaded.processor.apply_chat_template(
        [_turn(request, message) for message in body["messages"]],
        add_generation_prompt=body.get("add_generation_prompt", True),
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )
    options = body.get("structured_outputs", {}).get("choice")
    held = (
        {} if options is None else {"prefix_allowed_tokens_fn": _held_to(loaded, options, prompt["input_ids"], end)}
    )
    out = loaded.model.generate(
        **prompt, max_new_tokens=body["max_tokens"], do_sample=False, eos_token_id=end, pad_token_id=end, **held
    )
    said = out[0, prompt["input_ids"].shape[1] :]
    found = completion(loaded.processor.tokenizer.decode(said, skip_special_tokens=True))
    if body.get("prompt_logprobs") is not None:
        found["prompt_logprobs"] = _prompt_logprobs(loaded, prompt)
    return found


def _turn(request: Request, message: dict[str, Any]) -> dict[str, Any]:
    """A message as the chat template takes it."""
    if isinstance(message["content"], str):
        return {"role": message["role"], "content": [{"type": "text", "text": message["content"]}]}
    parts = [
        {"type": "image", "image": request.image.convert("RGB")} if part["type"] == "image_url" else part
        for part in message["content"]
    ]
    return {"role": message["role"], "content": parts}


def _held_to(loaded: LoadedModel, options: list[str], prompt: Tensor, end: int) -> Callable[[int, Tensor], list[int]]:
    """What may come next, so that the whole is one of the options and its end."""
    n_before = prompt.shape[1]
    rows = [[*loaded.processor.tokenizer(option, add_special_tokens=False)["input_ids"], end] for option in options]

    def allowed(_: int, ids: Tensor) -> list[int]:
        said = ids[n_before:].tolist()
        return [row[len(said)] for row in rows if row[: len(said)] == said and len(row) > len(said)] or [end]

    return allowed


def _prompt_logprobs(loaded: LoadedModel, prompt: dict[str, Tensor]) -> list[dict[str, Any] | None]:
    """For each token of the prompt its likelihood after those before it; the first has none."""
    ids = prompt["input_ids"][0]
    likely = torch.log_softmax(loaded.model(**prompt).logits[0].float(), dim=-1)
    tokenizer = loaded.processor.tokenizer
    found: list[dict[str, Any] | None] = [None]
    for k in range(1, len(ids)):
        token = int(ids[k])
        known = {"logprob": float(likely[k - 1, token]), "rank": 1, "decoded_token": tokenizer.decode([token])}
        found.append({str(token): known})
    return found
