#!/usr/bin/env bash
# Time and peak memory of inspect, calibrate, prune and quantize on a checkpoint with the shape of a 7B
# Mixture-of-Experts (OLMoE's: 16 layers, hidden size 2048, 64 experts of width 1024, 8 a token; bfloat16, random
# weights). Anonymous pages are what a command needs; VmHWM counts the mapped weights in, which belong to the page cache.
#
#     tests/bench/seven_billion.sh FOLDER     (needs 26 GB of disk there, and leaves the checkpoint)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=${ESPALIER_BUILD:-$root/build/release}
work=${1:?a folder with room for 26 GB}
mkdir -p "$work"

model=$work/seven-billion
[[ -d $model ]] || "$bin/tests/make_synthetic_model" "$model" 16 2048 64 8 1024 50304
cp "$root"/resources/sample/model/tokenizer*.json "$model/"
echo "checkpoint $(du -sb "$model" | cut -f1) bytes"

measure() {  # measure NAME COMMAND...
    "$root/tests/bench/peak_memory.py" "$1" "$bin/bin/espalier-cli" --json "${@:2}"
}

text=$root/resources/sample/calibration/python.txt
stats=$work/stats.safetensors
rm -rf "$work"/stats.* "$work/pruned" "$work"/quantized.gguf
measure inspect inspect "$model"
measure "calibrate, 2048 tokens" calibrate "$model" --data "python=$text" --tokens 2048 --context 512 --probe none --out "$stats"
measure "prune, 64 to 32 experts" prune "$model" --stats "$stats" --keep 32 --accept low_task_mass --out "$work/pruned"
rm -r "$work/pruned"
measure "quantize, Q4_K_M" quantize "$model" --type q4_k_m --stats "$stats" --out "$work/quantized.gguf"
rm "$work/quantized.gguf"
