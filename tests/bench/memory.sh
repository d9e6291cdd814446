#!/usr/bin/env bash
# Peak memory of calibrate, prune, quantize and eval on a checkpoint of more than 2 GB, made on the fly, beside
# the size of its largest layer. Peak is anonymous memory, as each command reports it: mapped weights
# belong to the page cache.
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

measure() {  # measure NAME COMMAND...
    local name=$1; shift
    rm -rf "$work/$name"*
    local json; json=$("$bin/bin/espalier-cli" --json "$@" 2>"$work/$name.log" | tail -n 1)
    printf '%-28s peak %11s bytes   %7s s\n' "$name" \
        "$(sed -n 's/.*"peak_bytes": *\([0-9]*\).*/\1/p' <<<"$json")" \
        "$(sed -n 's/.*"seconds": *\([0-9.]*\).*/\1/p' <<<"$json")"
}

text=$root/resources/sample/calibration/python.txt
measure calibrate.safetensors calibrate "$model" --data "python=$text" --tokens 4096 --context 512 --probe none --out "$work/calibrate.safetensors"
measure pruned prune "$model" --stats "$work/calibrate.safetensors" --keep 0.5 --out "$work/pruned"
measure quantized.gguf quantize "$model" --type q4_k_m --stats "$work/calibrate.safetensors" --out "$work/quantized.gguf"

# Both models layer by layer: no more than hidden states and one layer's copies may stay.
head -c 60000 "$text" > "$work/probe.txt"
for budget in 64GiB 256MiB; do
    measure "eval-$budget" --memory-budget $budget eval "$work/pruned" --reference "$model" \
        --perplexity "$work/probe.txt" --max-windows 8
done
