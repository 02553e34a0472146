"""The mathematics of BERT: every formula of the paper, with its gradient under it.

Read in this order: ops, activations, losses, scope, blocks, embeddings, attention,
encoder, heads.  Each file needs only those before it.  Four more make it fast and
exact, and can wait: erf, which ops needs; packing, which leaves padding out; once,
which saves memory in training; and forward_only, for calls without a backward.
This room imports nothing else of numbert.
"""

from . import (activations, attention, blocks, embeddings, encoder, erf, heads, losses,
               ops, packing, scope)
