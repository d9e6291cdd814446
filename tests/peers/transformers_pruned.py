#!/usr/bin/env python3
"""Loads a pruned hub folder in transformers and compares its logits with those of the original whose removed experts are
masked (router logit -inf before the softmax). Both in float32, so only the order of summing may differ.

    transformers_pruned.py ORIGINAL PRUNED TEXT [--tokens 512] [--limit 1e-3] [--ours TRACE.safetensors]

--ours compares the logits that `espalier-cli trace` computed from the pruned folder on the same tokens, --ids-out writes
those tokens for it.
"""
import argparse, json, pathlib, sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def load(path):
    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, attn_implementation="eager").eval()


def routers(model):
    """The router of each routed layer, in order; None for dense layers."""
    found = []
    for layer in model.model.layers:
        block = getattr(layer, "mlp", None) or getattr(layer, "block_sparse_moe", None)
        found.append(getattr(block, "gate", None) if hasattr(block, "experts") else None)
    return found


def mask(router, kept):
    """Lets the router's own code run on logits whose removed columns are -inf."""
    plain = router.forward

    def forward(*args, **kwargs):
        linear = torch.nn.functional.linear

        def masked(*a, **k):
            logits = linear(*a, **k)
            gone = torch.ones(logits.shape[-1], dtype=torch.bool)
            gone[kept] = False
            return logits.masked_fill(gone, float("-inf"))

        torch.nn.functional.linear = masked
        try:
            return plain(*args, **kwargs)
        finally:
            torch.nn.functional.linear = linear

    router.forward = forward


def compare(name, a, b):
    difference = (a - b).abs().max().item()
    top1 = (a.argmax(-1) == b.argmax(-1)).float().mean().item()
    print(f"{name}: largest difference {difference:.3g}, same best token {100 * top1:.2f} %, {a.shape[-2]} tokens")
    return difference


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("original")
    parser.add_argument("pruned")
    parser.add_argument("text")
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--limit", type=float, default=1e-3)
    parser.add_argument("--ids-out")
    parser.add_argument("--ours")
    args = parser.parse_args()

    text = pathlib.Path(args.text).read_text()
    ids = AutoTokenizer.from_pretrained(args.original)(text, add_special_tokens=False)["input_ids"][: args.tokens]
    if args.ids_out:
        pathlib.Path(args.ids_out).write_text(json.dumps([ids]))
    batch = torch.tensor([ids])
    expert_map = json.loads((pathlib.Path(args.pruned) / "espalier.json").read_text())["expert_map"]
    with torch.no_grad():
        pruned = load(args.pruned)(batch).logits[0]
        original = load(args.original)
        whole = original(batch).logits[0]
        for router, kept in zip(routers(original), expert_map):
            if router is not None:
                mask(router, kept)
        masked = original(batch).logits[0]
    compare("pruned against whole", pruned, whole)
    worst = compare("pruned against masked", pruned, masked)
    if args.ours:
        from safetensors.torch import load_file

        worst = max(worst, compare("Espalier against transformers", load_file(args.ours)["logits"][0], pruned))
    sys.exit(0 if worst < args.limit else 1)


if __name__ == "__main__":
    main()
