#!/bin/sh
# Write the hashed locks anew from pyproject.toml. No index address goes into them.
set -eu
cd "$(dirname "$0")/../.."
uv="${UV:-.venv/bin/uv}"
common="--generate-hashes --no-header --no-emit-index-url --no-emit-find-links --python-version 3.11"
# shellcheck disable=SC2086
"$uv" pip compile --quiet pyproject.toml --extra build $common -o requirements/run.txt "$@"
# shellcheck disable=SC2086
"$uv" pip compile --quiet pyproject.toml --extra build --extra dev -c requirements/run.txt $common -o requirements/dev.txt "$@"
