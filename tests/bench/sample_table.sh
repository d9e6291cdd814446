#!/usr/bin/env bash
# Perplexity per domain on the bundled sample: original, pruned to half of the experts by several
# criteria, calibrated on python alone and on all three domains, and quantised files. Prints the README's
# table. About 15 minutes on one core.
#
#     [ESPALIER_CLI=path] tests/bench/sample_table.sh [FOLDER]
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cli=${ESPALIER_CLI:-$root/build/release/bin/espalier-cli}
sample=$root/resources/sample
work=${1:-$(mktemp -d)}
mkdir -p "$work"

row() {  # row NAME MODEL [OPTION...]
    local name=$1 model=$2; shift 2
    "$cli" --json eval "$model" --perplexity "$sample"/heldout/{python,cpp,prose}.txt --context 512 "$@" 2>>"$work/log" |
        tail -n 1 | python3 -c '
import json, os, sys
report = json.load(sys.stdin)
by_file = {os.path.basename(path): value for path, value in report["perplexity"].items()}
kl = report.get("kl", {}).get("mean")
print("| {} | {:.2f} | {:.2f} | {:.2f} | {} |".format(sys.argv[1], by_file["python.txt"], by_file["cpp.txt"],
      by_file["prose.txt"], "" if kl is None else f"{kl:.4f}"))' "$name"
}

echo "| model | python | C++ | prose | KL |"
echo "|---|---|---|---|---|"
row "original, BF16" "$sample/model"
for type in q8_0 q4_k_m; do
    file=$work/$type.gguf
    [[ -f $file ]] || "$cli" quantize "$sample/model" --type $type --out "$file" 2>>"$work/log" >/dev/null
    row "${type^^}" "$file" --reference "$sample/model"
done
for texts in python mix; do
    stats=$work/$texts.safetensors
    [[ -f $stats ]] || "$cli" calibrate "$sample/model" --data "$texts=$sample/calibration/$texts.txt" --tokens 65536 \
        --context 512 --probe none --out "$stats" 2>>"$work/log" >/dev/null
    for criterion in reap frequency random; do
        pruned=$work/$texts-$criterion
        [[ -d $pruned ]] || "$cli" prune "$sample/model" --stats "$stats" --keep 0.5 --criterion $criterion \
            --accept low_task_mass --out "$pruned" 2>>"$work/log" >/dev/null
        row "half of the experts, $criterion, calibrated on $texts" "$pruned" --reference "$sample/model"
    done
done
