#!/bin/sh
# Hold the JSON Schema for editors equal to the loader: see compare.py.
#
#   run.sh JUDGE    the program made of judge.c
command -v python3 >/dev/null || {
	echo "0 passed, 0 failed, 1 skipped: python3 is not installed"
	exit 0
}
# -B: no compiled copy beside the source
exec python3 -B tests/editor/compare.py "$1" sagas/saga.schema.json \
	sagas/*.yaml tests/golden/*/*.yaml
