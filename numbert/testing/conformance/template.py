"""An adapter for the conformance suite: copy it, keep what you have, call your code.

    pytest -p numbert.testing.conformance.plugin --pyargs numbert.testing.conformance \\
        --target my_adapter

Each function may be left out, or raise NotImplementedError: its tests are then skipped.
target.py tells all that may be here.
"""

from numbert.testing.properties.targets import MaskingTarget

name, profile, dialect = "my BERT 1.0", "fp32", "hf-fast"


def encode(input, settings):
    """Make a row: {"tokens", "input_ids", "token_type_ids", "attention_mask", ...}."""
    raise NotImplementedError("encode")   # my.encode(input["text"], input["pair"], ...)


def forward(case):
    """Compute {name: array} of case.kind(case.config) with case.params, case.inputs."""
    raise NotImplementedError("forward")  # {"last_hidden_state": ..., "loss": ...}


def backward(case):
    """Compute {parameter: gradient} of the loss; see case.cotangents for others."""
    raise NotImplementedError("backward")


def training_step(case, optimizer, updates, lr, betas, eps, weight_decay):
    """Update case.params so many times: a list of {parameter: array}."""
    raise NotImplementedError("training_step")


def step(case, input_ids, attention_mask, past):
    """Read input_ids after a KV cache, past: (logits, the new cache)."""
    raise NotImplementedError("step")


def generate(case, input_ids, attention_mask, count):
    """Add `count` ids to each row (B, T), always the likeliest: (B, count)."""
    raise NotImplementedError("generate")


def mask(ids, seed, probability=0.15):
    """Mask one row (T,) of ids: (masked ids, labels)."""
    raise NotImplementedError("mask")


masking = MaskingTarget(mask, vocab_size=60, mask_id=4, special_ids=(0, 2, 3, 4))
