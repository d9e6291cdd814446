#!/usr/bin/env bash
# Prunes the sample to half of its experts, loads the folder in transformers, and compares its logits with the
# masked original's and with Espalier's own.
#
#     PEERS="prefix of commands" tests/peers/transformers_pruned.sh [FOLDER]
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cli=${ESPALIER_CLI:-$root/build/release/bin/espalier-cli}
work=$(realpath "${1:-$(mktemp -d)}")
mkdir -p "$work"
sample=$root/resources/sample
cp -rn "$sample/model" "$work/original"
cp "$sample/heldout/python.txt" "$root/tests/peers/transformers_pruned.py" "$work/"
cd "$work"

if [[ ! -d pruned ]]; then
    "$cli" calibrate original --data "$sample/calibration/python.txt" --tokens 65536 --out stats.safetensors
    "$cli" prune original --stats stats.safetensors --keep 0.5 --out pruned
fi
# shellcheck disable=SC2086  # PEERS is a list of words
${PEERS:-} python3 transformers_pruned.py original pruned python.txt --ids-out ids.json
"$cli" trace pruned --ids ids.json --out trace.safetensors
# shellcheck disable=SC2086
${PEERS:-} python3 transformers_pruned.py original pruned python.txt --ours trace.safetensors
