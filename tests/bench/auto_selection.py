#!/usr/bin/env python3
"""Selection by measurement beside the best single criteria, on the bundled sample: mean KL to the original on
held-out texts that neither calibration nor search has seen, at 75, 50 and 25 % of the experts. Twice: with as many
experts in each layer, and with as many on the mean. Each calibration reads all of its text, as the search does. Prints a
table; an hour on two cores for one calibration.

    [ESPALIER_CLI=path] tests/bench/auto_selection.py [FOLDER] [--seconds 300] [--threads 2] [--singles 3]
                                                      [--calibrated-on mix python] [--keep 24 16 8] [--scopes layers across]
"""
import argparse
import itertools
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLI = os.environ.get("ESPALIER_CLI", ROOT / "build/release/bin/espalier-cli")
SAMPLE = ROOT / "resources/sample"
LOWEST = 6  # experts of a layer that a search leaves: half as many again as the router selects


def cli(threads, *arguments):
    command = [CLI, "--json", "--threads", str(threads), *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)  # progress otherwise
    return json.loads(done.stdout.splitlines()[-1])


def divergence(threads, plan, texts):
    answer = cli(threads, "eval", SAMPLE / "model", "--perplexity", *texts, "--context", 512, "--reference",
                 SAMPLE / "model", "--expert-plan", plan)
    return answer["kl"]["mean"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--singles", type=int, default=3, help="how many criteria stand against it")
    parser.add_argument("--calibrated-on", nargs="+", default=["python", "mix"], choices=["python", "mix"])
    parser.add_argument("--keep", nargs="+", type=int, default=[24, 16, 8])
    parser.add_argument("--scopes", nargs="+", default=["layers", "across"], choices=["layers", "across"])
    options = parser.parse_args()
    folder = options.folder or pathlib.Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    threads = options.threads
    print("| calibrated on | experts kept | layers | best criterion | its KL | auto's KL | change | search, s | plans measured "
          "| experts changed | taken |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for name in options.calibrated_on:
        data = f"{name}={SAMPLE}/calibration/{name}.txt"
        texts = [SAMPLE / f"heldout/{text}.txt" for text in (["python"] if name == "python" else ["python", "cpp", "prose"])]
        stats = folder / f"{name}.safetensors"
        if not stats.exists():
            cli(threads, "calibrate", SAMPLE / "model", "--data", data, "--context", 512, "--stats", "all", "--out", stats)
        for keep in options.keep:
            for scope in options.scopes:
                plan = folder / f"{name}-{keep}-{scope}-auto.json"
                choice = ["select", SAMPLE / "model", "--stats", stats, "--keep", keep, "--scope", scope,
                          "--accept", "low_task_mass"]
                search = cli(threads, *choice, "--criterion", "auto", "--data", data, "--seconds", options.seconds, "--out",
                             plan)["metrics"]["search"]
                auto = divergence(threads, plan, texts)
                # The best criteria by the search's texts and by the probe set: which is best of all is seen here.
                singles = {}
                # As they choose by default, and allowed to empty a layer as far as the search may.
                limits = [0] if scope == "layers" else [0, LOWEST]
                rows = [row for row in search["candidates"] if row["scope"] == scope]
                ranked = [row["criterion"] for key in ("kl", "unseen_kl")
                          for row in sorted(rows, key=lambda row: row[key])[:options.singles]]
                for criterion, lowest in itertools.product(dict.fromkeys(ranked), limits):
                    single = folder / f"{name}-{keep}-{scope}-{criterion}-{lowest}.json"
                    cli(threads, *choice, "--criterion", criterion, "--lowest", lowest, "--out", single)
                    title = criterion if lowest == 0 else f"{criterion}, at least {lowest}"
                    singles[title] = divergence(threads, single, texts)
                best = min(singles, key=singles.get)
                print(f"| {name} | {keep} of 32 | {'alike' if scope == 'layers' else 'differ'} | {best} | {singles[best]:.4f} | "
                      f"{auto:.4f} | {100 * (auto / singles[best] - 1):+.1f} % | "
                      f"{search['seconds']:.0f} | {search['measurements']} | {search['swaps']} | {search['kept']} |", flush=True)


if __name__ == "__main__":
    main()
