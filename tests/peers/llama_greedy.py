#!/usr/bin/env python3
"""Exports the sample as F32, BF16, Q8_0 and Q4_K_M, lets llama.cpp and Espalier continue the same prompts greedily, and
compares the tokens. Float files must agree to the last token; quantised ones up to the first step at which llama.cpp's
two best tokens are closer than 0.2 in log-probability (the engines quantise activations differently).

    PEERS="prefix of commands" tests/peers/llama_greedy.py [--tokens 48] [FOLDER]
"""
import argparse, json, os, pathlib, shlex, socket, subprocess, sys, tempfile, time, urllib.error, urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLI = pathlib.Path(os.environ.get("ESPALIER_CLI", ROOT / "build/release/bin/espalier-cli"))
SAMPLE = ROOT / "resources/sample/model"
NEAR_TIE = 0.2
PROMPTS = [
    "def read_lines(path):\n",
    "import os\nimport sys\n\nclass ",
    "#include <vector>\n\ntemplate <typename T>\n",
    "The function returns a list of ",
]


def cli(*args):
    done = subprocess.run([CLI, "--json", *map(str, args)], check=True, capture_output=True, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def tokenize(text):
    line = json.dumps({"text": text, "add_special": True})
    done = subprocess.run([CLI, "tokenize", SAMPLE], input=line + "\n", check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])["ids"]


class Llama:
    """llama-server on a free port of the loopback interface."""

    def __init__(self, model):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = shlex.split(os.environ.get("PEERS", "")) + [
            "llama-server", "-m", str(model), "--port", str(self.port), "-t", "2", "-c", "1024", "-np", "1",
            "--cache-type-k", "f32", "--cache-type-v", "f32"]
        self.process = subprocess.Popen(command, cwd=model.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        for _ in range(120):
            if self.process.poll() is not None:
                sys.exit("llama-server ended: it does not load the file")
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health")
                return self
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.5)
        sys.exit("llama-server does not answer")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def continue_greedily(self, ids, count):
        body = {"prompt": ids, "n_predict": count, "temperature": 0, "n_probs": 2, "return_tokens": True, "cache_prompt": False, "ignore_eos": True}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/completion", data=json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        answer = json.load(urllib.request.urlopen(request))
        margins = [step["top_logprobs"][0]["logprob"] - step["top_logprobs"][1]["logprob"]
                   for step in answer["completion_probabilities"]]
        return answer["tokens"], margins


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", default=None)
    parser.add_argument("--tokens", type=int, default=48)
    options = parser.parse_args()
    folder = pathlib.Path(options.folder or tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)

    failed = False
    print("| file | prompt | same tokens | of | margin of llama.cpp's two best at the first difference |")
    print("|---|---|---|---|---|")
    for kind in ["f32", "bf16", "q8_0", "q4_k_m"]:
        file = folder / f"sample-{kind}.gguf"
        if not file.exists():
            cli("quantize", SAMPLE, "--type", kind, "--out", file)
        with Llama(file) as llama:
            for prompt in PROMPTS:
                theirs, margins = llama.continue_greedily(tokenize(prompt), options.tokens)
                ours = cli("generate", file, "--prompt", prompt, "--max-tokens", options.tokens)["ids"]
                length = min(len(ours), len(theirs))
                same = next((i for i in range(length) if ours[i] != theirs[i]), length)
                differs = same < length
                margin = f"{margins[same]:.3f}" if differs and same < len(margins) else ""
                excused = differs and kind.startswith("q") and same < len(margins) and margins[same] < NEAR_TIE
                failed |= differs and not excused
                print(f"| {kind} | `{prompt[:24]!r}` | {same} | {length} | {margin} |", flush=True)
    return 5 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
