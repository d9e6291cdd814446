#!/usr/bin/env python3
"""Lays out a checkpoint with the config and the tensors of Qwen3-Next 80B-A3B as sparse files (160 GB that take no
room on the disk), and times `espalier-cli inspect` on it.

    [ESPALIER_CLI=path] tests/bench/sparse_qwen3_next.py FOLDER
"""
import json
import os
import pathlib
import struct
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLI = pathlib.Path(os.environ.get("ESPALIER_CLI", ROOT / "build/release/bin/espalier-cli"))
SHARD_BYTES = 4_000_000_000

HIDDEN, LAYERS, VOCAB, EXPERTS, WIDTH = 2048, 48, 151936, 512, 512
CONFIG = {
    "architectures": ["Qwen3NextForCausalLM"], "model_type": "qwen3_next", "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS, "vocab_size": VOCAB, "num_experts": EXPERTS, "num_experts_per_tok": 10,
    "moe_intermediate_size": WIDTH, "shared_expert_intermediate_size": 512, "intermediate_size": 5120,
    "num_attention_heads": 16, "num_key_value_heads": 2, "head_dim": 256, "partial_rotary_factor": 0.25,
    "rope_theta": 10000000, "max_position_embeddings": 262144, "full_attention_interval": 4,
    "linear_num_key_heads": 16, "linear_num_value_heads": 32, "linear_key_head_dim": 128,
    "linear_value_head_dim": 128, "linear_conv_kernel_dim": 4, "norm_topk_prob": True, "decoder_sparse_step": 1,
    "mlp_only_layers": [], "rms_norm_eps": 1e-6, "hidden_act": "silu", "tie_word_embeddings": False,
    "torch_dtype": "bfloat16", "eos_token_id": 151645,
}


def tensors():
    yield "model.embed_tokens.weight", [VOCAB, HIDDEN]
    for layer in range(LAYERS):
        at = f"model.layers.{layer}."
        yield at + "input_layernorm.weight", [HIDDEN]
        yield at + "post_attention_layernorm.weight", [HIDDEN]
        if (layer + 1) % 4 == 0:
            yield at + "self_attn.q_proj.weight", [2 * 16 * 256, HIDDEN]
            yield at + "self_attn.k_proj.weight", [2 * 256, HIDDEN]
            yield at + "self_attn.v_proj.weight", [2 * 256, HIDDEN]
            yield at + "self_attn.o_proj.weight", [HIDDEN, 16 * 256]
            yield at + "self_attn.q_norm.weight", [256]
            yield at + "self_attn.k_norm.weight", [256]
        else:
            yield at + "linear_attn.in_proj_qkvz.weight", [16 * 2 * 128 + 2 * 32 * 128, HIDDEN]
            yield at + "linear_attn.in_proj_ba.weight", [64, HIDDEN]
            yield at + "linear_attn.conv1d.weight", [2 * 16 * 128 + 32 * 128, 1, 4]
            yield at + "linear_attn.A_log", [32]
            yield at + "linear_attn.dt_bias", [32]
            yield at + "linear_attn.norm.weight", [128]
            yield at + "linear_attn.out_proj.weight", [HIDDEN, 32 * 128]
        yield at + "mlp.gate.weight", [EXPERTS, HIDDEN]
        for name, shape in [("gate", [WIDTH, HIDDEN]), ("up", [WIDTH, HIDDEN]), ("down", [HIDDEN, WIDTH])]:
            for expert in range(EXPERTS):
                yield f"{at}mlp.experts.{expert}.{name}_proj.weight", shape
            yield f"{at}mlp.shared_expert.{name}_proj.weight", [512, HIDDEN] if name != "down" else [HIDDEN, 512]
        yield at + "mlp.shared_expert_gate.weight", [1, HIDDEN]
    yield "model.norm.weight", [HIDDEN]
    yield "lm_head.weight", [VOCAB, HIDDEN]


def shards():
    current, size = {}, 0
    for name, shape in tensors():
        count = 2
        for extent in shape:
            count *= extent
        if size and size + count > SHARD_BYTES:
            yield current, size
            current, size = {}, 0
        current[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [size, size + count]}
        size += count
    yield current, size


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=1))
    parts = list(shards())
    weight_map = {}
    for number, (header, size) in enumerate(parts, 1):
        name = f"model-{number:05}-of-{len(parts):05}.safetensors"
        weight_map.update(dict.fromkeys(header, name))
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        with open(folder / name, "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            file.truncate(8 + len(text) + size)
    total = sum(size for _, size in parts)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {"total_size": total}, "weight_map": weight_map}))
    seconds = []
    for _ in range(5):
        start = time.monotonic()
        done = subprocess.run([CLI, "--json", "inspect", folder], capture_output=True, text=True)
        seconds.append(time.monotonic() - start)
        if done.returncode != 0:
            sys.exit(done.stdout[-500:] + done.stderr[-500:])
    report = json.loads(done.stdout.splitlines()[-1])
    print(f"{total / 1e9:.1f} GB, {len(weight_map)} tensors in {len(parts)} files; parameters {report['parameters']}; "
          f"inspect: median {sorted(seconds)[2]:.2f} s of {[round(s, 2) for s in seconds]}")


main()
