"""Arbitrary trouble in adapters' folders: an adapter on the model, or one line that names its folder."""

import copy
import json
import struct
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save

from evensight.errors import InputError
from evensight.models import loading
from evensight.models.loading import LoadedModel, adapter_folder
from fuzzing import cases, check_line, fresh, n_cases, tell_seen
from troubled_trees import ODD, Draw, damaged, troubled_tree

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
VALUES = ODD | st.sampled_from(["q_proj", ["k_proj"], "LORA", "IA3", "VERA", 4, 0.1, {"q_proj": 8}, "gaussian"])


@st.composite
def troubled_weights(draw: Draw, sound: dict[str, torch.Tensor]) -> bytes:
    """Weights with some lost, renamed, of another shape or dtype, or no numbers."""
    weights = dict(sound)
    for _ in range(draw(st.integers(0, 2))):
        name = draw(st.sampled_from(sorted(weights)))
        match draw(st.sampled_from(("gone", "renamed", "shape", "dtype", "values"))):
            case "gone" if len(weights) > 1:
                del weights[name]
            case "renamed":
                weights[name + draw(st.sampled_from((".", "x", "\0", "é")))] = weights.pop(name)
            case "shape":
                weights[name] = weights[name].flatten()[:-1].clone()
            case "dtype":
                weights[name] = weights[name].to(draw(st.sampled_from((torch.float16, torch.int8, torch.bool))))
            case _:
                weights[name] = torch.full_like(weights[name], 1)
    content = save(weights)
    if draw(st.integers(1, 6)) == 1:  # a header that lies
        n = struct.unpack("<Q", content[:8])[0]
        header = draw(troubled_tree(json.loads(content[8 : 8 + n]), most=2))
        text = json.dumps(header).encode("utf-8", "surrogatepass")
        content = struct.pack("<Q", len(text)) + text + content[8 + n :]
    return content


def test_no_trouble_in_an_adapter_is_unexpected(embedded: LoadedModel, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    given_to = copy.deepcopy(embedded.model)
    get_peft_model(given_to, LoraConfig(r=2, target_modules=r".*layers\.0\.self_attn\.q_proj")).save_pretrained(
        str(tmp_path / "sound"), save_embedding_layers=False
    )
    sound = {path.name: path.read_bytes() for path in (tmp_path / "sound").iterdir()}
    weights, config = load_file(tmp_path / "sound" / WEIGHTS), json.loads(sound[CONFIG])
    folder, seen = tmp_path / "adapter", Counter[str]()

    @cases(25)
    @given(st.data())
    def look(data: st.DataObject) -> None:
        with fresh(folder):
            said = data.draw(troubled_tree(config, VALUES, most=2)) if data.draw(st.booleans()) else config
            text = json.dumps(said).encode("utf-8", "surrogatepass")
            (folder / CONFIG).write_bytes(data.draw(damaged(text, one_in=8)))
            (folder / WEIGHTS).write_bytes(data.draw(damaged(data.draw(troubled_weights(weights)), one_in=8)))
            if data.draw(st.integers(1, 20)) == 1:
                (folder / data.draw(st.sampled_from((CONFIG, WEIGHTS)))).unlink()
            seen.update([use(embedded, folder)])

    look()
    tell_seen("adapters", seen, "used", "refused")
    assert min(seen["used"], seen["refused"]) > n_cases(25) / 20, seen  # or nothing has been tried


def use(embedded: LoadedModel, folder: Path) -> Any:
    """Puts an adapter on a copy of the model; returns what has come of it."""
    try:
        adapter_folder(folder)
        model = loading._with_adapter(copy.deepcopy(embedded.model), folder)
    except InputError as error:
        check_line(error, folder)
        return "refused"
    assert any("lora_" in name for name, _ in model.named_parameters())
    return "used"
