#!/bin/sh
# Makes an environment of its own in $1 with Ray, and proves on a local cluster of two workers, one of them killed,
# that a set stored with Ray is the set stored without (ray_check.py), that a model asked with Ray gives the table
# that it gives without (ray_evaluation_check.py), and a study the files (ray_study_check.py).
set -eu

venv=$1
python=${PYTHON:-python3}
stamp="$venv/.ready-$(cat "$0" pyproject.toml | cksum | cut -d' ' -f1)"

if [ ! -f "$stamp" ]; then
    rm -f "$venv"/.ready-*
    PYTHON="$python" sh scripts/install.sh "$venv"
    "$venv/bin/python" -m pip --disable-pip-version-check install --quiet --editable '.[ray]'
    touch "$stamp"
fi
"$venv/bin/python" scripts/ray_check.py
HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 "$venv/bin/python" scripts/ray_evaluation_check.py
HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 "$venv/bin/python" scripts/ray_study_check.py
