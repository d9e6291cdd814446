#!/usr/bin/env bash
# Perplexity of the sample's Q8_0 and Q4_K_M files by llama-perplexity and by espalier-cli, on the same
# held-out texts, windows of 512 tokens, second half scored.
#
#     PEERS="prefix of commands" tests/peers/llama_perplexity.sh [FOLDER]
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cli=${ESPALIER_CLI:-$root/build/release/bin/espalier-cli}
work=$(realpath "${1:-$(mktemp -d)}")
mkdir -p "$work"
cp "$root"/resources/sample/heldout/*.txt "$work/"
cd "$work"

echo "| file | text | llama-perplexity | espalier-cli | difference |"
echo "|---|---|---|---|---|"
for type in bf16 q8_0 q4_k_m; do
    file=$work/sample-$type.gguf
    [[ -f $file ]] || "$cli" quantize "$root/resources/sample/model" --type "$type" --out "$file" >/dev/null 2>&1
    for domain in python cpp prose; do
        # shellcheck disable=SC2086  # PEERS is a list of words
        theirs=$(${PEERS:-} llama-perplexity -m "$file" -f "$domain.txt" -c 512 -t 2 2>&1 | sed -n 's/.*Final estimate: PPL = \([0-9.]*\).*/\1/p')
        ours=$("$cli" --json eval "$file" --perplexity "$domain.txt" --context 512 2>/dev/null | tail -n 1 | sed -n 's/.*"perplexity": *{[^:]*: *\([0-9.]*\).*/\1/p')
        awk -v t="$theirs" -v o="$ours" -v f="$type" -v d="$domain" 'BEGIN { printf "| %s | %s | %.4f | %.4f | %+.3f %% |\n", f, d, t, o, 100 * (o / t - 1) }'
    done
done
