#!/bin/sh
# Makes .venv with Python 3.13, wherever that is on this machine, and installs the project and its tools into it.
# Called by make, which knows when it is needed. PYTHON=/path/to/python3.13 says which one to take.
set -eu
cd "$(dirname "$0")/../.."

suits() {
    # a pyenv shim exists for every version and fails for most: only a Python that runs counts
    "$1" -c 'import ensurepip, ssl, sys, venv; sys.exit(sys.version_info[:2] != (3, 13))' >/dev/null 2>&1
}

find_python() {
    for candidate in \
        "${PYTHON:-}" python3.13 python3 python \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.13*/bin/python \
        "${UV_PYTHON_INSTALL_DIR:-$HOME/.local/share/uv/python}"/cpython-3.13*/bin/python3.13 \
        "$HOME"/.asdf/installs/python/3.13*/bin/python \
        "$HOME"/.local/share/mise/installs/python/3.13*/bin/python \
        /usr/local/bin/python3.13 /usr/bin/python3.13 /opt/homebrew/bin/python3.13 \
        /opt/python/3.13*/bin/python3 /opt/python3.13*/bin/python3 \
        /Library/Frameworks/Python.framework/Versions/3.13/bin/python3.13; do
        if [ -n "$candidate" ] && suits "$candidate"; then
            "$candidate" -c 'import os, sys; print(os.path.realpath(sys.executable))'
            return
        fi
    done
}

if ! suits .venv/bin/python; then
    python=$(find_python)
    if [ -z "$python" ]; then
        cat >&2 <<'MISSING'
Python 3.13 is needed and was not found (looked on PATH and where pyenv, uv, asdf, mise, Homebrew and python.org put it).
Install it in one of these ways, then run the same command again:
    uv python install 3.13          pyenv install 3.13          brew install python@3.13
    sudo apt-get install python3.13 python3.13-venv             https://www.python.org/downloads/
or say where it is:  make run PYTHON=/path/to/python3.13
MISSING
        exit 1
    fi
    echo "Making .venv with $python"
    rm -rf .venv
    "$python" -m venv .venv
fi

echo "Installing what the project needs into .venv (once; about a minute) ..."
.venv/bin/python -m pip install --disable-pip-version-check -qq --no-compile \
    --constraint constraints.txt --editable ".[local,simulation,dev]"
touch .venv/installed
