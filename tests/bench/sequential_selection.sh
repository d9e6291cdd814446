#!/usr/bin/env bash
# Experts chosen all at once, by statistics of the whole model, and layer by layer, each layer measured behind those that
# are cut or merged already: mean KL to the original on the sample's held-out texts, calibrated on all three domains.
# Prints a table; a quarter of an hour on two cores.
#
#     [ESPALIER_CLI=path] [WAYS="reap sas ream m_smoe"] [KEEP="24 16 8"] [THREADS=2] tests/bench/sequential_selection.sh [FOLDER]
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cli=${ESPALIER_CLI:-$root/build/release/bin/espalier-cli}
sample=$root/resources/sample
work=${1:-$(mktemp -d)}
options=(--threads "${THREADS:-2}" --json)
merges="ream hc_smoe m_smoe partial"
mkdir -p "$work"

kl() {  # kl MODEL
    "$cli" "${options[@]}" eval "$1" --perplexity "$sample"/heldout/{python,cpp,prose}.txt --context 512 \
        --reference "$sample/model" --floor-tokens 0 2>>"$work/log" | tail -n 1 |
        python3 -c 'import json, sys; print("{:.4f}".format(json.load(sys.stdin)["kl"]["mean"]))'
}

data=mix=$sample/calibration/mix.txt
stats=$work/mix.safetensors
[[ -f $stats ]] || "$cli" "${options[@]}" calibrate "$sample/model" --data "$data" --context 512 --stats all \
    --out "$stats" 2>>"$work/log" >/dev/null
echo "| way | experts kept | all at once | layer by layer |"
echo "|---|---|---|---|"
for way in ${WAYS:-reap sas ream m_smoe}; do
    if [[ " $merges " == *" $way "* ]]; then how=(--merge "$way"); else how=(--criterion "$way"); fi
    for keep in ${KEEP:-24 16 8}; do
        choice=(prune "$sample/model" --stats "$stats" --keep "$keep" "${how[@]}" --accept low_task_mass)
        rm -rf "$work"/{at_once,sequential}{,.safetensors}
        "$cli" "${options[@]}" "${choice[@]}" --out "$work/at_once" 2>>"$work/log" >/dev/null
        "$cli" "${options[@]}" "${choice[@]}" --data "$data" --sequential "$work/sequential.safetensors" \
            --out "$work/sequential" 2>>"$work/log" >/dev/null
        echo "| $way | $keep of 32 | $(kl "$work/at_once") | $(kl "$work/sequential") |"
    done
done
