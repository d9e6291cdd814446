#!/usr/bin/env python3
"""Selection by measurement beside the best single criterion, on the bundled sample: mean KL to the original on
held-out texts that neither calibration nor search has seen, at 75, 50 and 25 % of the experts, calibrated on python
and on the mix. Prints a table; about 20 minutes on two cores.

    [ESPALIER_CLI=path] tests/bench/auto_selection.py [FOLDER] [--seconds 120] [--threads 2] [--singles 4]
"""
import argparse
import json
import os
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLI = os.environ.get("ESPALIER_CLI", ROOT / "build/release/bin/espalier-cli")
SAMPLE = ROOT / "resources/sample"


def cli(threads, *arguments):
    command = [CLI, "--json", "--threads", str(threads), *map(str, arguments)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    return json.loads(output.splitlines()[-1])


def divergence(threads, plan, texts):
    """By the names of the texts, and over all of them."""
    answer = cli(threads, "eval", SAMPLE / "model", "--perplexity", *texts, "--context", 512, "--reference",
                 SAMPLE / "model", "--expert-plan", plan)
    by_text = {pathlib.Path(name).stem: row["mean"] for name, row in answer["kl"]["files"].items()}
    return answer["kl"]["mean"], by_text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--singles", type=int, default=4, help="how many criteria stand against it")
    parser.add_argument("--calibrated-on", nargs="+", default=["python", "mix"], choices=["python", "mix"])
    options = parser.parse_args()
    folder = options.folder or pathlib.Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    threads = options.threads
    print("| calibrated on | experts kept | best criterion | its KL | auto's KL | change | search, s | exchanges |")
    print("|---|---|---|---|---|---|---|---|")
    for name in options.calibrated_on:
        data = f"{name}={SAMPLE}/calibration/{name}.txt"
        texts = [SAMPLE / f"heldout/{text}.txt" for text in (["python"] if name == "python" else ["python", "cpp", "prose"])]
        stats = folder / f"{name}.safetensors"
        if not stats.exists():
            cli(threads, "calibrate", SAMPLE / "model", "--data", data, "--tokens", 65536, "--context", 512, "--stats", "all",
                "--out", stats)
        for keep in (24, 16, 8):
            plan = folder / f"{name}-{keep}-auto.json"
            choice = ["select", SAMPLE / "model", "--stats", stats, "--keep", keep, "--accept", "low_task_mass"]
            search = cli(threads, *choice, "--criterion", "auto", "--data", data, "--seconds", options.seconds, "--out",
                         plan)["metrics"]["search"]
            mean, _ = divergence(threads, plan, texts)
            # The best criteria by the probe set, on the same texts: which is best of all is seen there.
            singles = {}
            ranked = sorted(search["candidates"], key=lambda candidate: candidate["unseen_kl"])
            for candidate in ranked[:options.singles]:
                criterion = candidate["criterion"]
                single = folder / f"{name}-{keep}-{criterion}.json"
                cli(threads, *choice, "--criterion", criterion, "--out", single)
                singles[criterion] = divergence(threads, single, texts)[0]
            best = min(singles, key=singles.get)
            print(f"| {name} | {keep} of 32 | {best} | {singles[best]:.4f} | {mean:.4f} | "
                  f"{100 * (mean / singles[best] - 1):+.1f} % | {search['seconds']:.0f} | {search['swaps']} |", flush=True)


if __name__ == "__main__":
    main()
