#!/usr/bin/env python3
"""REAP's statistics in transformers: tokens a second, peak memory, scores. For calibration_speed.py and
calibration_scores.py.

    calibration_peer.py MODEL IDS.json hooks|every-expert SCORES.json [bfloat16|float32]

hooks: what a careful person writes. The experts' own loop over those that were hit, rows gathered by one sort, with the
norm of each output taken where it is computed; no logits of the vocabulary; batches of 4,096 tokens.
every-expert: what the reference implementation's observer does. The layer as it is, and beside it every expert on every
token.
"""
import json
import sys
import time

import torch
from torch.nn.functional import linear
from transformers import AutoModelForCausalLM

BATCH_TOKENS = 4096


class Sums:
    def __init__(self, experts):
        self.count = torch.zeros(experts, dtype=torch.float64)
        self.gated_norm = torch.zeros(experts, dtype=torch.float64)

    def add(self, expert, gates, outputs):
        norms = torch.linalg.vector_norm(outputs, dim=-1, dtype=torch.float32)
        self.count[expert] += len(norms)
        self.gated_norm[expert] += (gates.float() * norms).sum().double()


def output_of(experts, expert, rows):
    gate, up = linear(rows, experts.gate_up_proj[expert]).chunk(2, dim=-1)
    return linear(experts.act_fn(gate) * up, experts.down_proj[expert])


def measure_where_computed(experts, sums):
    def forward(hidden, chosen, gates):
        out = torch.zeros_like(hidden)
        slots = torch.argsort(chosen.flatten(), stable=True)
        tokens = slots // chosen.shape[1]
        counts = torch.bincount(chosen.flatten(), minlength=experts.num_experts).tolist()
        begin = 0
        for expert, count in enumerate(counts):
            if count == 0:
                continue
            rows, own = tokens[begin:begin + count], gates.flatten()[slots[begin:begin + count]]
            outputs = output_of(experts, expert, hidden[rows])
            sums.add(expert, own, outputs)
            out.index_add_(0, rows, outputs * own[:, None])
            begin += count
        return out

    experts.forward = forward


def measure_every_expert(experts, sums):
    plain = experts.forward

    def forward(hidden, chosen, gates):
        for expert in range(experts.num_experts):
            outputs = output_of(experts, expert, hidden)
            tokens, place = torch.where(chosen == expert)
            sums.add(expert, gates[tokens, place], outputs[tokens])
        return plain(hidden, chosen, gates)

    experts.forward = forward


def peak_bytes():
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


@torch.inference_mode()
def main():
    path, ids_path, way, scores_path = sys.argv[1:5]
    dtype = getattr(torch, sys.argv[5] if len(sys.argv) > 5 else "bfloat16")
    started = time.monotonic()
    model = AutoModelForCausalLM.from_pretrained(path, dtype=dtype).eval()
    sums = []
    for layer in model.model.layers:
        sums.append(Sums(layer.mlp.experts.num_experts))
        watch = measure_where_computed if way == "hooks" else measure_every_expert
        watch(layer.mlp.experts, sums[-1])
    with open(ids_path) as file:
        ids = torch.tensor(json.load(file))
    loaded = time.monotonic()
    for batch in ids.split(BATCH_TOKENS // ids.shape[1]):
        model.model(input_ids=batch, use_cache=False)
    ended = time.monotonic()
    scores = {"reap": [(s.gated_norm / s.count.clamp(min=1)).tolist() for s in sums],
              "frequency": [s.count.tolist() for s in sums]}
    with open(scores_path, "w") as file:
        json.dump(scores, file)
    print(json.dumps({"tokens_per_second": ids.numel() / (ended - loaded),
                      "with_loading": ids.numel() / (ended - started),
                      "peak_bytes": peak_bytes()}))


main()
