#!/usr/bin/env bash
# What removing and merging experts costs on the bundled sample: perplexity by domain and KL divergence
# from the original for every criterion and way of merging, with 24, 16 and 8 of 32 experts left,
# calibrated on python alone and on all three domains. Prints a table for each text and number.
#
#     [ESPALIER_CLI=path] [TEXTS="python mix"] [KEEP="24 16 8"] [WAYS="reap ream …"] [WINDOWS=20] \
#         tests/bench/merge_table.sh [FOLDER]
#
# WINDOWS scores the first so many windows of each text alone; all of them otherwise.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cli=${ESPALIER_CLI:-$root/build/release/bin/espalier-cli}
sample=$root/resources/sample
work=${1:-$(mktemp -d)}
texts=${TEXTS:-python mix}
keeps=${KEEP:-24 16 8}
merges="ream hc_smoe m_smoe partial"
ways=${WAYS:-reap reap_shrunk reap_l2 wean_sum easy_ep sas hope camera ean_sum ean_mean gate_mass frequency max_act random $merges}
windows=(${WINDOWS:+--max-windows "$WINDOWS"})
mkdir -p "$work"

row() {  # row NAME MODEL [OPTION...]
    local name=$1 model=$2; shift 2
    "$cli" --json eval "$model" --perplexity "$sample"/heldout/{python,cpp,prose}.txt --context 512 "${windows[@]}" "$@" 2>>"$work/log" |
        tail -n 1 | python3 -c '
import json, os, sys
report = json.load(sys.stdin)
by_file = {os.path.basename(path): value for path, value in report["perplexity"].items()}
kl = report.get("kl", {})
parts = ["{:.4f}".format(kl["files"][path]["mean"]) for path in report["perplexity"]] if "files" in kl else ["", "", ""]
mean = "{:.4f}".format(kl["mean"]) if "mean" in kl else ""
print("| {} | {:.2f} | {:.2f} | {:.2f} | {} | {} |".format(sys.argv[1], by_file["python.txt"], by_file["cpp.txt"],
      by_file["prose.txt"], mean, " | ".join(parts)))' "$name"
}

for text in $texts; do
    stats=$work/$text.safetensors
    [[ -f $stats ]] || "$cli" calibrate "$sample/model" --data "$text=$sample/calibration/$text.txt" --tokens 65536 \
        --context 512 --probe none --stats all --out "$stats" 2>>"$work/log" >/dev/null
    for keep in $keeps; do
        echo
        echo "Calibrated on $text, $keep of 32 experts:"
        echo
        echo "| | python | C++ | prose | KL | KL python | KL C++ | KL prose |"
        echo "|---|---|---|---|---|---|---|---|"
        for way in $ways; do
            out=$work/$text-$keep-$way
            choice=(--criterion "$way")
            [[ " $merges " == *" $way "* ]] && choice=(--merge "$way")
            [[ -d $out ]] || "$cli" prune "$sample/model" --stats "$stats" --keep "$keep" "${choice[@]}" \
                --accept low_task_mass --out "$out" 2>>"$work/log" >/dev/null
            row "$way" "$out" --reference "$sample/model"
            rm -rf "$out"
        done
    done
done
