#!/usr/bin/env python3
"""Every family of tests/golden/models, as Espalier exports it, in llama.cpp and in transformers.

    PEERS="prefix of commands" tests/peers/families.py FOLDER [CASE...]

A case's checkpoint (with a made-up tokenizer, as the cases have none) becomes a GGUF file, which llama.cpp continues
greedily and Espalier traces; that file becomes a hub folder again, which transformers runs; and the checkpoint pruned to
three quarters of its experts is run by transformers and traced by Espalier. Logits are compared with the case's.
"""
import json
import os
import pathlib
import shlex
import shutil
import struct
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLI = pathlib.Path(os.environ.get("ESPALIER_CLI", ROOT / "build/release/bin/espalier-cli"))
CASES = ROOT / "tests/golden/models"
PEERS = shlex.split(os.environ.get("PEERS", ""))


class Refused(Exception):
    """What espalier-cli answered instead of doing it."""


def cli(*args):
    done = subprocess.run([CLI, "--json", *map(str, args)], capture_output=True, text=True)
    if done.returncode != 0:
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        raise Refused(lines[-1][:300] if lines else done.stderr[-300:])


def read_tensor(path, name):
    """Values of a float32 tensor."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        start = file.tell()
        info = header[name]
        begin, end = info["data_offsets"]
        file.seek(start + begin)
        kind = {"F32": "f", "I64": "q"}[info["dtype"]]
        data = file.read(end - begin)
        return struct.unpack(f"<{len(data) // struct.calcsize(kind)}{kind}", data), info["shape"]


def largest_difference(a, b):
    if len(a) != len(b):
        return float("inf")
    return max(abs(x - y) for x, y in zip(a, b))


def byte_alphabet():
    """GPT-2's printable stand-ins for the bytes, in their order."""
    plain = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = (chr(code) for code in range(256, 512))
    return [chr(byte) if byte in plain else next(others) for byte in range(256)]


def add_tokenizer(folder):
    config = json.loads((folder / "config.json").read_text())
    size = config.get("text_config", config)["vocab_size"]
    tokens = byte_alphabet() + [f"<{i}>" for i in range(size)]
    vocab = {token: i for i, token in enumerate(tokens[:size])}
    (folder / "tokenizer.json").write_text(json.dumps({
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "vocab": vocab, "merges": []}}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))


def transformers_logits(folder, ids, out):
    done = subprocess.run([*PEERS, "python3", "families.py", "--logits", folder.name, ids.name, out.name],
                          cwd=folder.parent, capture_output=True, text=True)
    if done.returncode != 0:
        raise Refused("transformers: " + done.stderr.strip().splitlines()[-1][:200])
    return read_tensor(out, "logits")[0]


def logits_in_transformers(folder, ids, out):
    """Runs among the peers."""
    import torch
    import transformers
    from safetensors.torch import save_file
    model, report = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    missing = [key for key in report["missing_keys"]]
    if missing:
        sys.exit(f"tensors are missing: {missing[:3]}")
    with torch.no_grad():
        save_file({"logits": model.eval()(torch.tensor(json.load(open(ids))), use_cache=False).logits.contiguous()}, out)


def llama_tokens(file, ids, count):
    from llama_greedy import Llama
    with Llama(file) as llama:
        tokens, margins = llama.continue_greedily(ids, count)
    return tokens, margins


def check(case, work):
    source = work / case
    if not source.exists():
        shutil.copytree(CASES / case, source)
        for file in ["golden.safetensors", "saliency.safetensors", "grads.safetensors", "config.legacy.json"]:
            (source / file).unlink(missing_ok=True)
        add_tokenizer(source)
    golden = CASES / case / "golden.safetensors"
    expected = read_tensor(golden, "logits")[0]
    flat, (rows, length) = read_tensor(golden, "input_ids")
    ids = work / f"{case}-ids.json"
    ids.write_text(json.dumps([list(flat[r * length:(r + 1) * length]) for r in range(rows)]))
    greedy = json.loads((CASES / case / "greedy_ids.json").read_text())

    def trace(model, name):
        out = work / f"{case}-{name}.safetensors"
        cli("trace", model, "--ids", ids, "--out", out)
        return read_tensor(out, "logits")[0]

    def step(function):
        try:
            return function()
        except Refused as refused:
            return str(refused)
        except SystemExit as end:
            return str(end)

    gguf = work / f"{case}.gguf"

    def export():
        gguf.unlink(missing_ok=True)
        cli("quantize", source, "--type", "f32", "--out", gguf)
        return f"{largest_difference(trace(gguf, 'gguf'), expected):.1e}"

    def llama():
        tokens, _ = llama_tokens(gguf, greedy["prompt_ids"], len(greedy["generated_ids"]))
        same = next((i for i, (a, b) in enumerate(zip(tokens, greedy["generated_ids"])) if a != b), len(tokens))
        return f"{same} of {len(greedy['generated_ids'])}"

    def back():
        folder = work / f"{case}-back"
        shutil.rmtree(folder, ignore_errors=True)
        cli("export", gguf, "--to", "hf", "--out", folder)
        return f"{largest_difference(transformers_logits(folder, ids, work / 'peer.safetensors'), expected):.1e}"

    def prune():
        stats, pruned = work / f"{case}-stats.safetensors", work / f"{case}-pruned"
        for old in [stats, stats.with_name(stats.stem + ".vectors.safetensors")]:
            old.unlink(missing_ok=True)
        shutil.rmtree(pruned, ignore_errors=True)
        cli("calibrate", source, "--ids", ids, "--out", stats)
        cli("prune", source, "--stats", stats, "--keep", "0.75", "--accept", "low_task_mass", "--out", pruned)
        return f"{largest_difference(transformers_logits(pruned, ids, work / 'peer.safetensors'), trace(pruned, 'pruned')):.1e}"

    exported = step(export)
    columns = [exported]
    columns += [step(llama), step(back)] if gguf.exists() else ["", ""]
    columns.append(step(prune))
    return columns


def main():
    if sys.argv[1] == "--logits":
        return logits_in_transformers(*sys.argv[2:])
    work = pathlib.Path(sys.argv[1]).resolve()
    work.mkdir(parents=True, exist_ok=True)
    shutil.copy(__file__, work / "families.py")
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    cases = sys.argv[2:] or sorted(path.name for path in CASES.iterdir() if (path / "greedy_ids.json").exists())
    print("| case | GGUF traced by Espalier, logits | greedy tokens of llama.cpp | GGUF made a hub folder again, in transformers "
          "| pruned: transformers and Espalier |")
    print("|---|---|---|---|---|")
    for case in cases:
        print(f"| {case} | " + " | ".join(check(case, work)) + " |", flush=True)


main()
