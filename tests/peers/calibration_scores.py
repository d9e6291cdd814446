#!/usr/bin/env python3
"""Are REAP's scores of the sample those of plain hooks in transformers? Both run the same windows of the calibration mix;
transformers in float32, Espalier in float32 and in bfloat16.

    PEERS="prefix of commands" tests/peers/calibration_scores.py [--tokens 16384]

Float32: rounding decides between near-equal experts for a few tokens in a hundred thousand, so scores are compared
where the counts are equal, and experts with other counts are told.
"""
import argparse
import json
import os
import pathlib
import shlex
import subprocess
import tempfile

from calibration_file import rows_of_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("ESPALIER_BUILD", ROOT / "build/release"))
MODEL = ROOT / "resources/sample/model"
TEXT = ROOT / "resources/sample/calibration/mix.txt"
CONTEXT = 512
LAYERS = 6


def windows(tokens):
    asked = json.dumps({"text": TEXT.read_text()[:tokens * 8]}) + "\n"
    answer = subprocess.run([BUILD / "bin/espalier-cli", "tokenize", MODEL], input=asked, capture_output=True, text=True,
                            check=True).stdout
    ids = json.loads(answer.splitlines()[0])["ids"]
    rows = [ids[i:i + CONTEXT] for i in range(0, min(tokens, len(ids)) - CONTEXT + 1, CONTEXT)]
    if len(rows) * CONTEXT < tokens - CONTEXT:
        raise SystemExit(f"the text has {len(ids)} tokens only")
    return rows


def espalier(folder, dtype):
    out = folder / f"{dtype}.safetensors"
    subprocess.run([BUILD / "bin/espalier-cli", "--log-level", "error", "calibrate", MODEL, "--ids", folder / "ids.json",
                    "--context", str(CONTEXT), "--stats", "basic", "--compute-dtype", dtype, "--out", out],
                   check=True, stdout=subprocess.DEVNULL)
    return {name: rows_of_file(out, name, LAYERS) for name in ("reap", "frequency")}


def compare(ours, theirs):
    scores, moved, experts = 0.0, 0, 0
    for layer in range(LAYERS):
        counts = zip(ours["frequency"][layer], theirs["frequency"][layer])
        for expert, (mine, other) in enumerate(counts):
            experts += 1
            moved += mine != other
            if mine == other and mine > 0:
                reference = theirs["reap"][layer][expert]
                scores = max(scores, abs(ours["reap"][layer][expert] / reference - 1))
    return scores, moved, experts


def kept(scores):
    """The better half of each layer's experts."""
    return [set(sorted(range(len(row)), key=lambda e: -row[e])[:len(row) // 2]) for row in scores["reap"]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=16384)
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp())
    (folder / "ids.json").write_text(json.dumps(windows(options.tokens)))
    (folder / "calibration_peer.py").write_text((ROOT / "tests/peers/calibration_peer.py").read_text())
    subprocess.run([*shlex.split(os.environ.get("PEERS", "")), "python3", "calibration_peer.py", MODEL, "ids.json", "hooks",
                    "hooks.json", "float32"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    theirs = json.loads((folder / "hooks.json").read_text())
    print("| Espalier | largest relative difference of a score | experts with other counts | other experts in the better half |")
    print("|---|---|---|---|")
    for dtype in ("F32", "BF16"):
        ours = espalier(folder, dtype)
        scores, moved, experts = compare(ours, theirs)
        swapped = sum(len(a - b) for a, b in zip(kept(ours), kept(theirs)))
        print(f"| {dtype} | {scores:.1e} | {moved} of {experts} | {swapped} |", flush=True)


main()
