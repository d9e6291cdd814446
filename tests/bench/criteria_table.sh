#!/usr/bin/env bash
# What removing and merging experts costs on the bundled sample: perplexity by domain, KL divergence and routing
# fidelity to the original for every criterion and way of merging, with 24, 16 and 8 of 32 experts left, calibrated
# on python alone and on all three domains.
#
#     [ESPALIER_CLI=path] [TEXTS="python mix"] [KEEP="24 16 8"] [WAYS="reap ream …"] [WINDOWS=20] [THREADS=2] \
#         tests/bench/criteria_table.sh [FOLDER]
#
# WINDOWS scores the first so many windows of each text alone; 0 = all. Rows are kept in FOLDER as they come: a call
# that was cut off goes on there, and prints the tables of all rows at its end.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cli=${ESPALIER_CLI:-$root/build/release/bin/espalier-cli}
sample=$root/resources/sample
work=${1:-$(mktemp -d)}
texts=${TEXTS:-python mix}
keeps=${KEEP:-24 16 8}
merges="ream hc_smoe m_smoe partial"
ways=${WAYS:-reap reap_shrunk reap_l2 wean_sum easy_ep sas hope camera ean_sum ean_mean gate_mass frequency max_act random mone mone_fused channels $merges}
windows=${WINDOWS:-20}
options=(--threads "${THREADS:-2}")
mkdir -p "$work"

row() {  # row NAME MODEL [OPTION...]: a line of the table
    local name=$1 model=$2; shift 2
    "$cli" "${options[@]}" --json eval "$model" --perplexity "$sample"/heldout/{python,cpp,prose}.txt --context 512 \
        --max-windows "$windows" --reference "$sample/model" --floor-tokens 0 "$@" 2>>"$work/log" | tail -n 1 | python3 -c '
import json, os, sys
report = json.load(sys.stdin)
texts = {os.path.splitext(os.path.basename(path))[0]: path for path in report["perplexity"]}
order = ("python", "cpp", "prose")
routing = report["routing"]["mean"]
cells = ["{:.2f}".format(report["perplexity"][texts[text]]) for text in order]
cells.append("{:.4f}".format(report["kl"]["mean"]))
cells += ["{:.4f}".format(report["kl"]["files"][texts[text]]["mean"]) for text in order]
cells += ["{:.3f}".format(routing[name]) for name in ("recall", "restricted_kl", "displaced", "output_error")]
print("| {} | {} |".format(sys.argv[1], " | ".join(cells)))' "$name"
}

choose() {  # choose STATS KEEP WAY: what prune is told
    case $3 in
        channels)
            # As much of every expert as the others keep of the layer.
            "$cli" "${options[@]}" select "$sample/model" --stats "$1" --unit channels --keep "$(python3 -c "print($2 / 32)")" \
                --out "$work/channels.json" 2>>"$work/log" >/dev/null
            choice=(--channel-plan "$work/channels.json") ;;
        mone*) choice=(--stats "$1" --keep "$2" --criterion "$3" --native) ;;
        *) if [[ " $merges " == *" $3 "* ]]; then choice=(--stats "$1" --keep "$2" --merge "$3")
           else choice=(--stats "$1" --keep "$2" --criterion "$3"); fi ;;
    esac
}

for text in $texts; do
    stats=$work/$text.safetensors
    [[ -f $stats ]] || "$cli" "${options[@]}" calibrate "$sample/model" --data "$text=$sample/calibration/$text.txt" \
        --tokens 65536 --context 512 --probe none --stats all --out "$stats" 2>>"$work/log" >/dev/null
    for keep in $keeps; do
        rows=$work/$text-$keep.md
        touch "$rows"
        for way in $ways; do
            grep -q "^| $way |" "$rows" && continue
            out=$work/model
            rm -rf "$out"
            choose "$stats" "$keep" "$way"
            "$cli" "${options[@]}" prune "$sample/model" "${choice[@]}" --accept low_task_mass --out "$out" \
                2>>"$work/log" >/dev/null
            line=$(row "$way" "$out")
            echo "$line" >>"$rows"
        done
        rm -rf "$work/model"
    done
done
for text in $texts; do
    for keep in $keeps; do
        printf '\nCalibrated on %s, %s of 32 experts:\n\n' "$text" "$keep"
        echo "| | python | C++ | prose | KL | KL python | KL C++ | KL prose | same experts | router KL | displaced | output error |"
        echo "|---|---|---|---|---|---|---|---|---|---|---|---|"
        cat "$work/$text-$keep.md"
    done
done
