"""Record what Hugging Face's pipelines say.

    python tests/golden/make_pipelines.py

writes pipelines.json: the results of all calls in tests/pipeline_cases.py that the
installed transformers has a pipeline for, and keeps those of the others.  Recorded with
transformers 5.24.0, and question-answering, which that lacks, with 4.57.6.
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
FILE = Path(__file__).with_name("pipelines.json")


def plain(value):
    """A result as JSON has it; numbers to 8 digits, more than the comparison needs."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.8g}")
    return int(value) if isinstance(value, np.integer) else value


def call(pipe, task, inputs, options):
    """One call; question-answering takes its inputs by name in both."""
    if task != "question-answering":
        return pipe(inputs, **options)
    items = inputs if isinstance(inputs, list) else [inputs]
    return pipe(question=[item["question"] for item in items],
                context=[item["context"] for item in items], **options)


def main():
    import transformers
    from pipeline_cases import CASES, MODELS, saved

    record = json.loads(FILE.read_text()) if FILE.exists() else {}
    lacking = "question-answering" if transformers.__version__ >= "5" else None
    with tempfile.TemporaryDirectory() as folder:
        places = {name: saved(Path(folder) / name, name) for name in MODELS}
        for task, cases in CASES.items():
            if task == lacking or not lacking and task != "question-answering":
                continue
            record[task] = {
                "transformers": transformers.__version__,
                "results": [plain(call(
                    transformers.pipeline(task, model=places[name], device=-1, **made),
                    task, inputs, options)) for name, inputs, made, options in cases]}
    FILE.write_text(json.dumps(record, indent=0, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
