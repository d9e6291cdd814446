#!/usr/bin/env python3
"""How quick is calibration, and how much memory does it take? A model of 0.5 billion parameters with random weights, one
run after the other in turn: Espalier with REAP's statistics alone, a loop with hooks in transformers in bfloat16, and
one that runs every expert on every token, on fewer windows, as it takes so long. Then what each optional statistic
costs.

    PEERS="prefix of commands" tests/peers/calibration_speed.py [FOLDER] [--rounds 3] [--windows 8] [--slow-windows 2]
                                                                [--dtype bfloat16 float32] [--prices]

A loop is as well tuned as its type of numbers lets it be: PyTorch has quick products of bfloat16 on some processors only,
and is quicker in float32 on the others, so both can be asked for.

Espalier's time is the whole command, reading the model included; the loops' time is without loading. Peaks: VmHWM,
which counts mapped pages that the system may take back, and for Espalier also its own memory alone.
"""
import argparse
import json
import os
import pathlib
import random
import shlex
import statistics
import subprocess
import tempfile

from calibration_file import rows_of_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("ESPALIER_BUILD", ROOT / "build/release"))
SHAPE = {"layers": 8, "hidden": 1024, "experts": 32, "top_k": 4, "width": 512, "vocab": 32000}
OPTIONAL = ["coact_gram", "sas", "channels", "profiles"]


def prepare(folder, windows, slow_windows):
    if not (folder / "model" / "config.json").exists():
        subprocess.run([BUILD / "tests/make_synthetic_model", folder / "model",
                        *map(str, SHAPE.values())], check=True)
    source = random.Random(1)
    rows = [[source.randrange(SHAPE["vocab"]) for _ in range(1024)] for _ in range(windows)]
    (folder / "ids.json").write_text(json.dumps(rows))
    (folder / "few-ids.json").write_text(json.dumps(rows[:slow_windows]))
    (folder / "calibration_peer.py").write_text((ROOT / "tests/peers/calibration_peer.py").read_text())


def run(command, folder):
    """Last line of its output as JSON, and the peak of its resident memory."""
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    lines = process.stdout.read().decode().splitlines()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"{shlex.join(map(str, command))} failed")
    return json.loads(lines[-1]), usage.ru_maxrss * 1024


def espalier(folder, stats):
    answer, peak = run([BUILD / "bin/espalier-cli", "--json", "--threads", "2", "calibrate", "model", "--ids", "ids.json",
                        "--context", "1024", "--stats", stats, "--out", "stats.safetensors"], folder)
    return {"tokens_per_second": answer["metrics"]["tokens_per_second"], "peak_bytes": peak,
            "own_bytes": answer["peak_bytes"]}


def peer(folder, way, dtype):
    ids = "ids.json" if way == "hooks" else "few-ids.json"
    command = [*shlex.split(os.environ.get("PEERS", "")), "python3", "calibration_peer.py", "model", ids, way,
               f"{way}.json", dtype]
    answer, _ = run(command, folder)
    return answer


def difference(ours, theirs):
    return max(abs(a - b) / max(abs(a), 1e-12) for x, y in zip(ours, theirs) for a, b in zip(x, y))


def row(name, results):
    speeds = [r["tokens_per_second"] for r in results]
    peak = max(r["peak_bytes"] for r in results) / 2**20
    own = f", {max(r['own_bytes'] for r in results) / 2**20:.0f} of its own" if "own_bytes" in results[0] else ""
    print(f"| {name} | {statistics.median(speeds):.0f} ({min(speeds):.0f} to {max(speeds):.0f}) | {peak:.0f}{own} |",
          flush=True)


def compare(folder, rounds, dtypes):
    ways = {"espalier-cli calibrate --stats basic": lambda: espalier(folder, "basic")}
    for dtype in dtypes:
        ways[f"transformers, {dtype}, hooks"] = lambda dtype=dtype: peer(folder, "hooks", dtype)
        ways[f"transformers, {dtype}, every expert"] = lambda dtype=dtype: peer(folder, "every-expert", dtype)
    results = {name: [] for name in ways}
    for _ in range(rounds):
        for name, measure in ways.items():
            results[name].append(measure())
    print("| | tokens/s, median (range) | peak MiB |\n|---|---|---|")
    for name, own in results.items():
        row(name, own)
    ours = rows_of_file(folder / "stats.safetensors", "reap", SHAPE["layers"])
    theirs = json.loads((folder / "hooks.json").read_text())["reap"]
    print(f"REAP scores against hooks in {dtypes[-1]}: {difference(ours, theirs):.1e}")


def prices(folder, rounds):
    choices = ["basic", "default", *OPTIONAL, "all"]
    results = {choice: [] for choice in choices}
    for _ in range(rounds):
        for choice in choices:
            results[choice].append(espalier(folder, choice))
    print("| --stats | tokens/s, median (range) | peak MiB |\n|---|---|---|")
    for choice, own in results.items():
        row(choice, own)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--windows", type=int, default=8)
    parser.add_argument("--slow-windows", type=int, default=2)
    parser.add_argument("--dtype", nargs="+", default=["bfloat16"], choices=["bfloat16", "float32"])
    parser.add_argument("--prices", action="store_true", help="what each optional statistic costs, instead")
    options = parser.parse_args()
    folder = (options.folder or pathlib.Path(tempfile.mkdtemp())).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    prepare(folder, options.windows, options.slow_windows)
    if options.prices:
        prices(folder, options.rounds)
    else:
        compare(folder, options.rounds, options.dtype)


main()
