#!/bin/sh
# Makes an environment of its own in $1 with mkdocs-material and builds the site into site/; a broken link, an anchor
# or a docstring that isn't there stops it.
set -eu

venv=$1
python=${PYTHON:-python3}
stamp="$venv/.ready-$(cksum <"$0" | cut -d' ' -f1)"

if [ ! -f "$stamp" ]; then
    "$python" -m venv "$venv"
    "$venv/bin/python" -m pip --disable-pip-version-check install --quiet \
        mkdocs==1.6.1 mkdocs-material==9.8.2 mkdocstrings==1.0.8 mkdocstrings-python==2.0.11
    touch "$stamp"
fi
"$venv/bin/mkdocs" build --strict --quiet
echo "site/index.html"
