#!/bin/sh
# Makes an environment of its own in $1 with the tools that exports are for, and has each load an exported set by
# its own code (exports_check.py). PyTorch is the CPU build; the tools come without their dependencies, for those
# pull CUDA and contradict one another, and beside them what their loaders import.
set -eu

venv=$1
python=${PYTHON:-python3}
torch=$(grep '^torch==' requirements.lock)
cpu_index=https://download.pytorch.org/whl/cpu
tools="llamafactory==0.9.5 ms-swift==4.6.0 lmms-eval==0.7.3"
# What all three allow; LLaMA-Factory's datasets<=4.0.0 and ms-swift's datasets>=4.7 can't be had at once.
shared="transformers==5.6.0 trl==0.24.0 peft==0.18.1 accelerate==1.11.0 datasets==4.8.4 pycocotools==2.0.11"
older="datasets==4.0.0 dill==0.3.8 multiprocess==0.70.16 fsspec==2025.3.0"
imported="addict aiohttp attrdict binpacking dacite einops evaluate fire httpx importlib-metadata json-repair jsonlines
    loguru matplotlib modelscope nltk numexpr omegaconf openai openpyxl oss2 pandas python-dotenv pytablewriter requests
    rouge sacrebleu sentencepiece simplejson sortedcontainers tenacity tiktoken tqdm-multiprocess tyro<0.9 zstandard"
own="jinja2 numpy pillow pyarrow pydantic pyyaml rich scipy typer typing-extensions hatchling==1.33.0 editables"

pip="$venv/bin/python -m pip --disable-pip-version-check"
stamp="$venv/.ready-$(cat "$0" requirements.lock | cksum | cut -d' ' -f1)"

if [ ! -f "$stamp" ]; then
    "$python" -m venv "$venv"
    echo "installing $torch (CPU build)"
    if [ "$(uname -s)" = Linux ]; then
        $pip install --quiet "$torch+cpu" 2>/dev/null ||
            $pip install --quiet --extra-index-url "$cpu_index" "$torch+cpu"
    else
        $pip install --quiet "$torch"
    fi
    echo "installing what the tools' loaders import"
    $pip install --quiet $shared $imported $own
    echo "installing $tools"
    $pip install --quiet --no-deps $tools
    $pip install --quiet --no-deps --target "$venv/older" $older
    $pip install --quiet --no-deps --no-build-isolation --editable .
    touch "$stamp"
fi

status=0
PYTHONPATH="$venv/older" "$venv/bin/python" scripts/exports_check.py llamafactory || status=1
"$venv/bin/python" scripts/exports_check.py swift lmms-eval trl coco || status=1
exit $status
