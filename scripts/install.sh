#!/bin/sh
# Makes the virtual environment named by $1 with the versions that requirements.lock pins.
# PyTorch comes first and alone, as a CPU build: its default build for Linux brings gigabytes of CUDA.
# On a GPU machine install evensight into an environment of your own instead: pip install 'evensight[models]'.
set -eu

venv=$1
python=${PYTHON:-python3}
torch=$(grep '^torch==' requirements.lock)
cpu_index=https://download.pytorch.org/whl/cpu

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    { echo "evensight needs Python 3.11 or newer, got $("$python" --version): set PYTHON=" >&2; exit 1; }

"$python" -m venv "$venv"
pip="$venv/bin/python -m pip --disable-pip-version-check"

echo "installing $torch (CPU build)"
if [ "$(uname -s)" = Linux ]; then
    # A CPU build has the local version +cpu. Take one that pip is set up to find, else PyTorch's own index.
    $pip install --quiet "$torch+cpu" 2>/dev/null ||
        $pip install --quiet --extra-index-url "$cpu_index" "$torch+cpu"
else
    $pip install --quiet "$torch"
fi

echo "installing what requirements.lock pins"
$pip install --quiet --requirement requirements.lock
$pip install --quiet --no-deps --no-build-isolation --editable .
echo "ready: $venv/bin/evensight"
