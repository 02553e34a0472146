"""Real fine-tuning, beside Hugging Face: the same recipe on the same batches.

    python tests/acceptance_finetune.py --model DIR --sst2 DIR --wnut17 DIR

Not a test that pytest collects: it needs torch, transformers, a checkpoint and data.
--sst2 is a folder with train.tsv and dev.tsv (sentence, label), --wnut17 one with
train.conll and dev.conll.

Both sides start from the same weights, head included, and go through the same examples
in the same order: AdamW, linear schedule with warm-up, weight decay but for biases and
LayerNorm, clipping, dropout on, padding to the longest of a batch.  Each tokenizes with
its own tokenizer, and every batch is checked to be the same.  Only dropout draws other
numbers, so scores differ by chance; --no-dropout takes that away, and then both follow
the same path to rounding.  The time of a side is that of its training loop with
padding, and that of its evaluation; both have the same number of threads.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

SST2 = ("text-classification", "accuracy", "train.tsv", "dev.tsv")
WNUT17 = ("token-classification", "f1", "train.conll", "dev.conll")


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="a BERT checkpoint")
    parser.add_argument("--sst2", help="a folder with train.tsv and dev.tsv")
    parser.add_argument("--wnut17", help="a folder with train.conll and dev.conll")
    parser.add_argument("--limit", type=int, help="use only so many examples")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=5e-5)
    parser.add_argument("--warmup", type=float, default=0.1)
    parser.add_argument("--weight-decay", type=float, default=0.01)
    parser.add_argument("--clip", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-dropout", dest="dropout", action="store_false")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--parts", type=int, default=2, metavar="N",
                        help="numbert's train(accumulate=N): parts of a batch")
    parser.add_argument("--attention", default="sdpa", help="of Hugging Face")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def main() -> None:
    """Run what was asked for."""
    args = arguments()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(args.threads)            # before numpy and torch load
    os.environ["HF_HUB_OFFLINE"] = "1"
    warnings.simplefilter("ignore")
    for folder, setting in ((args.sst2, SST2), (args.wnut17, WNUT17)):
        if folder:
            report(args, setting, compare(args, Path(folder), *setting))


def compare(args, folder: Path, name: str, metric: str, train_file, dev_file) -> dict:
    """Train both sides on one task."""
    from numbert.tasks.finetuning import load_student
    from numbert.tasks import TASKS
    task = TASKS[name]
    examples = task.read(folder / train_file)[:args.limit]
    dev = task.read(folder / dev_file)[:args.limit]
    student = load_student(task, args.model, [*examples, *dev], None, "float32",
                           args.seed)
    with tempfile.TemporaryDirectory() as start:        # the same weights for both
        student.save_pretrained(start)
        ours, batches = train_numbert(args, task, student, examples, dev)
        theirs = train_hugging_face(args, task, start, examples, dev, batches)
    return {"examples": len(examples), "dev": len(dev), "metric": metric,
            "numbert": ours, "huggingface": theirs}


# -------------------------------------------------------------------------- numbert

def train_numbert(args, task, model, examples, dev) -> tuple[dict, Iterator[dict]]:
    """Scores and seconds, and the parts of the batches in their order."""
    from numbert import BertTokenizer
    from numbert.tasks.finetuning import scores
    from numbert.tasks import Settings
    from numbert.training.loop import train
    settings, seen = Settings(), []
    start = time.perf_counter()
    tokenizer = BertTokenizer.from_pretrained(args.model)
    data, held_out = (task.encode(x, tokenizer, model.config, settings)
                      for x in (examples, dev))
    encoded = time.perf_counter()
    pad = task.collate(tokenizer, settings)

    def collate(rows, rng):
        seen.append(pad(rows, rng))
        return seen[-1]

    result = train(model, data.inputs, lr=args.lr, epochs=args.epochs,
                   batch_size=args.batch_size, warmup=args.warmup, clip=args.clip,
                   weight_decay=args.weight_decay, seed=args.seed, collate=collate,
                   dropout=args.dropout, accumulate=args.parts)
    trained = time.perf_counter()
    found, _ = scores(task, model, held_out, tokenizer, settings)
    done = time.perf_counter()
    losses = [row["loss"] for row in result.history]
    return {"scores": found, "encode_s": encoded - start, "train_s": trained - encoded,
            "evaluate_s": done - trained, "last_loss": losses[-1],
            "updates": result.steps}, iter(seen)


# --------------------------------------------------------------------- Hugging Face

def train_hugging_face(args, task, start_dir, examples, dev, batches) -> dict:
    """The same with transformers and torch, in a plain loop."""
    import torch
    import transformers
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    start = time.perf_counter()
    tokenizer = transformers.AutoTokenizer.from_pretrained(args.model)
    model = getattr(transformers, task.model).from_pretrained(
        start_dir, attn_implementation=args.attention)
    (rows, _), held_out = (encode_hugging_face(task, tokenizer, x, model.config)
                           for x in (examples, dev))
    encoded = time.perf_counter()
    last_loss = loop(args, model, tokenizer, rows, batches)
    trained = time.perf_counter()
    found = evaluate_hugging_face(task, model, tokenizer, dev, *held_out)
    done = time.perf_counter()
    return {"scores": found, "encode_s": encoded - start, "train_s": trained - encoded,
            "evaluate_s": done - trained, "last_loss": last_loss}


def encode_hugging_face(task, tokenizer, examples, config) -> tuple[list, list]:
    """Rows of input_ids, ..., labels; and {word: its first piece} for each row.

    A word's label is on its first piece.
    """
    ids, limit = config.label2id, config.max_position_embeddings
    if task.name == "text-classification":
        found = tokenizer([x.text for x in examples], truncation=True, max_length=limit)
        labels, firsts = [ids[x.label] for x in examples], [None] * len(examples)
    else:
        found = tokenizer([x.words for x in examples], is_split_into_words=True,
                          truncation=True, max_length=limit)
        labels, firsts = [], []
        for i, example in enumerate(examples):
            words = found.word_ids(i)
            first = {word: words.index(word) for word in words if word is not None}
            labels.append([-100] * len(words))
            for word, at in first.items():
                labels[-1][at] = ids[example.labels[word]]
            firsts.append(first)
    return [{**{name: values[i] for name, values in found.items()}, "labels": y}
            for i, y in enumerate(labels)], firsts


def loop(args, model, tokenizer, rows, batches) -> float:
    """Train in the order of numbert's batches; the mean loss of its last log row."""
    import numpy as np
    import torch
    import transformers
    from numbert.training.batches import epoch_order
    per_epoch = -(-len(rows) // args.batch_size)
    steps = per_epoch * args.epochs
    plain = [n for n, _ in model.named_parameters()
             if n.endswith("bias") or "LayerNorm" in n]
    groups = [{"params": [p for n, p in model.named_parameters() if n not in plain],
               "weight_decay": args.weight_decay},
              {"params": [p for n, p in model.named_parameters() if n in plain],
               "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=args.lr)
    schedule = transformers.get_linear_schedule_with_warmup(
        optimizer, int(np.ceil(args.warmup * steps)), steps)
    collator = transformers.DataCollatorForTokenClassification(tokenizer) \
        if isinstance(rows[0]["labels"], list) \
        else transformers.DataCollatorWithPadding(tokenizer)
    model.train(args.dropout)
    losses = []
    order = np.concatenate([epoch_order(len(rows), args.seed, epoch)
                            for epoch in range(args.epochs)])
    for step in range(steps):
        epoch, i = divmod(step, per_epoch)
        first = epoch * len(rows) + i * args.batch_size
        last = min(first + args.batch_size, (epoch + 1) * len(rows))
        batch = collator([rows[j] for j in order[first:last]])
        check_same({k: x.numpy() for k, x in batch.items()}, batches, step)
        loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), args.clip)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return float(np.mean(losses[-(len(losses) % 10 or 10):]))


def check_same(batch, parts, step) -> None:
    """Hugging Face's batch is what numbert's next parts are, but for their padding."""
    import numpy as np
    row = 0
    while row < len(batch["input_ids"]):
        part = next(parts)
        count, width = part["input_ids"].shape
        for name in ("input_ids", "attention_mask", "labels"):
            mine = batch[name][row:row + count]
            assert np.array_equal(mine[:, :width] if mine.ndim == 2 else mine,
                                  part[name]), (step, name)
        assert not batch["attention_mask"][row:row + count, width:].any(), step
        row += count


def evaluate_hugging_face(task, model, tokenizer, dev, rows, firsts) -> dict:
    """The same metrics from its predictions, in batches sorted by length.

    A word without a piece, a character that both tokenizers drop, counts as O.
    """
    import numpy as np
    import torch
    model.eval()
    order = np.argsort([-len(row["input_ids"]) for row in rows], kind="stable")
    predictions: list = [None] * len(rows)
    names = model.config.id2label
    with torch.no_grad():
        for start in range(0, len(order), 32):
            chosen = order[start:start + 32]
            batch = tokenizer.pad([{name: x for name, x in rows[i].items()
                                    if name != "labels"} for i in chosen],
                                  return_tensors="pt")
            best = model(**batch).logits.argmax(-1).tolist()
            for i, guess in zip(chosen, best):
                predictions[i] = names[guess] if firsts[i] is None else [
                    names[guess[firsts[i][word]]] if word in firsts[i] else "O"
                    for word in range(len(dev[i].words))]
    return task.score(dev, predictions, list(names.values()))


# --------------------------------------------------------------------------- report

def report(args, setting, found: dict) -> None:
    """One table per task."""
    if args.json:
        print(json.dumps({"task": setting[0], **found}))
        return
    metric = found["metric"]
    print(f"\n{setting[0]}: {found['examples']} examples, "
          f"{found['numbert']['updates']} updates of {args.batch_size}, "
          f"{args.threads} threads, dropout "
          f"{'on' if args.dropout else 'off'}, seed {args.seed}")
    print(f"{'':14}{metric + ' on ' + str(found['dev']):>20}{'last loss':>12}"
          f"{'encode s':>10}{'train s':>10}{'evaluate s':>12}")
    for side in ("numbert", "huggingface"):
        row = found[side]
        print(f"{side:14}{100 * row['scores'][metric]:20.2f}"
              f"{row['last_loss']:12.5f}{row['encode_s']:10.2f}"
              f"{row['train_s']:10.1f}{row['evaluate_s']:12.1f}")
    ours, theirs = found["numbert"], found["huggingface"]
    gap = 100 * (ours["scores"][metric] - theirs["scores"][metric])
    print(f"difference {gap:+.2f} points; training takes "
          f"{ours['train_s'] / theirs['train_s']:.2f} times as long")


if __name__ == "__main__":
    main()
