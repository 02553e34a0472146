"""Load mutated files, and count what comes of it.

    python tests/fuzz/fuzzing.py [--loads 40000] [--seed 0] [--workers 2]

prints a table with a row for each kind of file.  A worker process serves many loads; a
new one takes its place when it dies or hangs.

"named" is a refusal that names the file or its folder, "unnamed" one that does not, and
"traceback" an error that is not meant for a user.  A file that still loads gives an
equal result or another one: to change a setting is no error.
"""

import argparse
import json
import os
import random
import select
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
OUTCOMES = ("equal", "other", "named", "unnamed", "traceback", "hang", "memory")
BAD = OUTCOMES[3:]
SECONDS, BYTES = 20, 2**30         # for one load: time, and memory on top of the start


# ------------------------------------------------------------------ in a worker

def work(root):
    """Answer each line on stdin, a name and a seed, with an outcome."""
    import warnings
    from mutations import mutate
    from targets import digest, folder_of, make
    root = Path(root)
    targets = make(root)
    warnings.simplefilter("ignore")
    wanted = {name: digest(load(folder_of(root, name)))
              for name, load in targets.items()}
    limit_memory()
    print(json.dumps(list(targets)), flush=True)
    for line in sys.stdin:
        name, seed = json.loads(line)
        path = root / name
        data = path.read_bytes()
        path.write_bytes(mutate(random.Random(f"{name} {seed}"), name, data))
        try:
            answer = outcome(targets[name], folder_of(root, name), path, wanted[name])
        finally:
            path.write_bytes(data)
        print(json.dumps(answer), flush=True)


def outcome(load, folder, path, wanted):
    """Load once; return what came of it, and the error."""
    from targets import digest
    try:
        return ["equal" if digest(load(folder)) == wanted else "other", ""]
    except MemoryError as error:
        return ["memory", repr(error)]
    except Exception as error:
        said = str(error)
        if not isinstance(error, (OSError, ValueError)) and ", expected " not in said:
            return ["traceback", last_lines(error)]
        if path.name in said or str(folder) in said:
            return ["named", said]
        return ["unnamed", last_lines(error)]


def last_lines(error):
    """Where an error was raised, and what it says."""
    frames = traceback.extract_tb(error.__traceback__)
    where = [f"{Path(x.filename).name}:{x.lineno}" for x in frames
             if "numbert" in x.filename and "tests" not in x.filename]
    return f"{' '.join(where[-2:])} {type(error).__name__}: {str(error)[:200]}"


def limit_memory():
    """Let loading take only BYTES more than the process has now, where that works."""
    try:
        import resource
        with open("/proc/self/statm", encoding="ascii") as file:
            pages = int(file.read().split()[0])
    except (ImportError, OSError):
        return
    most = pages * resource.getpagesize() + BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


# ------------------------------------------------------------------ who asks

class Worker:
    """A process that loads, replaced when it dies or hangs."""

    def __init__(self):
        self.process = None

    def start(self):
        """Start a process; return the names of its files."""
        self.root = tempfile.mkdtemp(prefix="fuzz-")
        paths = [str(HERE.parent), os.environ.get("PYTHONPATH", "")]
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--work", self.root], text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths),
                 "OPENBLAS_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"})
        return json.loads(self.process.stdout.readline())

    def ask(self, name, seed):
        """Return the outcome of one load, and its error."""
        if self.process is None:
            self.start()
        self.process.stdin.write(json.dumps([name, seed]) + "\n")
        ready, _, _ = select.select([self.process.stdout], [], [], SECONDS)
        line = self.process.stdout.readline() if ready else ""
        if line:
            return json.loads(line)
        self.stop()
        return ["memory" if ready else "hang", "the process died" if ready else ""]

    def stop(self):
        """End the process and remove its files."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()
            self.process = None
            shutil.rmtree(self.root, ignore_errors=True)


def run(loads, seed=0, workers=1):
    """Load `loads` mutated files; return {name: Counter}, and examples of bad ones."""
    def share(number):
        worker, found = Worker(), []
        try:
            names = worker.start()
            for i in range(number, loads, workers):
                name = names[i % len(names)]
                found.append((name, f"{seed}-{i}", *worker.ask(name, f"{seed}-{i}")))
        finally:
            worker.stop()
        return found

    with ThreadPoolExecutor(workers) as pool:
        answers = [row for rows in pool.map(share, range(workers)) for row in rows]
    counts, bad = {}, []
    for name, case, what, error in answers:
        counts.setdefault(name, Counter())[what] += 1
        if what in BAD:
            bad.append((name, case, what, error))
    return counts, bad


def table(counts):
    """The counts as text."""
    lines = [f"{'file':40}" + "".join(f"{what:>11}" for what in OUTCOMES)]
    total = sum(counts.values(), Counter())
    for name, row in [*sorted(counts.items()), ("all", total)]:
        lines.append(f"{name:40}" + "".join(f"{row[what]:11,}" for what in OUTCOMES))
    return "\n".join(lines)


def main():
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--loads", type=int, default=40_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        work(args.work)
        return 0
    counts, bad = run(args.loads, args.seed, args.workers)
    print(table(counts))
    kinds = Counter((what, error.split("Error:")[0], name)
                    for name, _, what, error in bad)
    shown = {}
    for name, case, what, error in bad:
        shown.setdefault((what, error.split("Error:")[0], name), (case, error))
    for key, count in kinds.most_common():
        print(f"\n{count} x {key[0]}, {key[2]}, such as {shown[key][0]}\n"
              f"    {shown[key][1]}")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
