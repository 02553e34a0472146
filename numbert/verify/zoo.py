"""The zoo: the bugs that people make when they write BERT, a line or two for each.

See mutants for what a line means, and bugs for what each bug is and how to fix it.
`module` matches the names of the tensors at which the bug first shows.
"""

from __future__ import annotations

from .mutants import Mutant

FORWARD = [
    Mutant("A7-sum", "no LayerNorm after the embeddings",
           edits=(("bert.embeddings.embeddings", 'p.at("LayerNorm"), h)',
                   'p.at("LayerNorm"), h)\n    h = word + kind + place'),),
           module=r"embeddings\.out"),
    Mutant("B13-hidden", "scores divided by sqrt(C), not sqrt(D)",
           edits=(("bert.ops.attention_scores", "math.sqrt(q.shape[-1])",
                   "math.sqrt(q.shape[-1] * q.shape[-3])"),),
           module=r"\.scores"),
]
MUTANTS = FORWARD
