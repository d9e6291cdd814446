#!/usr/bin/env bash
# Time and peak memory of calibrate, prune, quantize and eval on a checkpoint of more than 2 GB, made on the fly,
# beside the size of its largest layer. Anonymous pages are what a command needs; VmHWM counts the mapped weights in.
#
#     tests/bench/memory.sh [FOLDER]     (needs 8 GB of disk there; default: a new temporary folder)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=${ESPALIER_BUILD:-$root/build/release}
work=${1:-$(mktemp -d)}
mkdir -p "$work"

layers=16 hidden=1024 experts=32 top_k=4 width=768 vocab=4096
model=$work/synthetic
[[ -d $model ]] || "$bin/tests/make_synthetic_model" "$model" $layers $hidden $experts $top_k $width $vocab
cp "$root"/resources/sample/model/tokenizer*.json "$model/"

layer_bytes=$((2 * (experts * 3 * hidden * width + experts * hidden + 2 * hidden * hidden + hidden * hidden / 2)))
echo "checkpoint $(du -sb "$model" | cut -f1) bytes, largest layer $layer_bytes bytes as stored (bfloat16), $((2 * layer_bytes)) in float32"
echo
echo "| command | time | peak of anonymous pages | VmHWM, mapped weights counted in |"
echo "|---|---|---|---|"

measure() {  # measure NAME COMMAND...
    "$root/tests/bench/peak_memory.py" "$1" "$bin/bin/espalier-cli" --json "${@:2}" 2>>"$work/log"
}

text=$root/resources/sample/calibration/python.txt
stats=$work/stats.safetensors
rm -rf "$work"/stats.* "$work/pruned" "$work/quantized.gguf"
measure "inspect" inspect "$model"
measure "calibrate, 4096 tokens" calibrate "$model" --data "python=$text" --tokens 4096 --context 512 --probe none --out "$stats"
measure "prune, 32 to 16 experts" prune "$model" --stats "$stats" --keep 0.5 --accept low_task_mass --out "$work/pruned"
measure "quantize, Q4_K_M" quantize "$model" --type q4_k_m --stats "$stats" --out "$work/quantized.gguf"

# Both models layer by layer where they exceed the budget: no more than hidden states and one layer's copies may stay.
head -c 60000 "$text" > "$work/probe.txt"
for budget in 64GiB 256MiB; do
    measure "eval against the original, budget $budget" --memory-budget $budget eval "$work/pruned" --reference "$model" \
        --perplexity "$work/probe.txt" --max-windows 8
done
