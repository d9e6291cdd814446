#!/usr/bin/env bash
# Prompt and generation speed of llama-bench and `espalier-cli bench` on the same files, in turn, so that
# a machine that slows down slows both.
#
#     PEERS="prefix of commands" tests/peers/llama_speed.sh [ROUNDS] FILE.gguf...
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cli=${ESPALIER_CLI:-$root/build/release/bin/espalier-cli}
rounds=3
if [[ ${1:-} =~ ^[0-9]+$ ]]; then rounds=$1; shift; fi
threads=${THREADS:-2}

echo "| file | round | llama.cpp prompt | espalier prompt | llama.cpp generation | espalier generation |"
echo "|---|---|---|---|---|---|"
for file in "$@"; do
    file=$(realpath "$file")
    cd "$(dirname "$file")"
    for ((round = 1; round <= rounds; ++round)); do
        # shellcheck disable=SC2086
        theirs=$(${PEERS:-} llama-bench -m "$file" -t "$threads" -p 512 -n 64 -r 3 -o jsonl 2>/dev/null | sed -n 's/.*"avg_ts": *\([0-9.]*\).*/\1/p' | paste -sd' ')
        ours=$("$cli" --json --threads "$threads" bench "$file" --prompt-tokens 512 --gen-tokens 64 --repeat 3 2>/dev/null | tail -n 1)
        prompt=$(sed -n 's/.*"prompt_tps": *{"median": *\([0-9.]*\).*/\1/p' <<<"$ours")
        gen=$(sed -n 's/.*"gen_tps": *{"median": *\([0-9.]*\).*/\1/p' <<<"$ours")
        read -r their_prompt their_gen <<<"$theirs"
        echo "| $(basename "$file") | $round | $their_prompt | $prompt | $their_gen | $gen |"
    done
done
