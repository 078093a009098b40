#!/bin/sh
# Makes an environment of its own in $1 with lmms-eval and inspect_ai, and has both run a set of ours, their scores
# held against evensight's (ecosystem_check.py). PyTorch is the CPU build; what models and data are read with has the
# lock's versions, the rest what inspect_ai asks for. lmms-eval comes without its dependencies (CUDA, and much that its
# other tasks need), and beside it what it imports.
set -eu

venv=$1
python=${PYTHON:-python3}
torch=$(grep '^torch==' requirements.lock)
cpu_index=https://download.pytorch.org/whl/cpu
locked="accelerate|datasets|filelock|huggingface_hub|numpy|peft|pillow|pyarrow|safetensors|tokenizers|torch|transformers"
imported="decord einops evaluate httpx jsonlines loguru numexpr openai openpyxl pytablewriter python-dotenv sacrebleu
    sentencepiece tenacity tiktoken tqdm-multiprocess zstandard"

pip="$venv/bin/python -m pip --disable-pip-version-check"
stamp="$venv/.ready-$(cat "$0" requirements.lock pyproject.toml | cksum | cut -d' ' -f1)"

if [ ! -f "$stamp" ]; then
    "$python" -m venv "$venv"
    grep -E "^($locked)==" requirements.lock >"$venv/constraints.txt"
    echo "installing $torch (CPU build)"
    if [ "$(uname -s)" = Linux ]; then
        $pip install --quiet "$torch+cpu" 2>/dev/null ||
            $pip install --quiet --extra-index-url "$cpu_index" "$torch+cpu"
    else
        $pip install --quiet "$torch"
    fi
    echo "installing inspect_ai, and what lmms-eval imports"
    $pip install --quiet hatchling==1.33.0 editables
    $pip install --quiet --constraint "$venv/constraints.txt" --no-build-isolation --editable '.[models]' \
        inspect-ai==0.3.285 datasets $imported
    echo "installing lmms-eval"
    $pip install --quiet --no-deps lmms-eval==0.7.3
    touch "$stamp"
fi

"$venv/bin/python" scripts/ecosystem_check.py
