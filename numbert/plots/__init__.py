"""The pictures of the notebooks and of `--plot`, all in one look.

    from numbert import plots
    plots.curves(x, {"gelu": y})

look.py is the look; each other file draws one kind of thing.  All need matplotlib.
This room may import models, tokenization, verify, bert and system.
"""

from .flow import data_flow
from .look import style
from .masking import masking_histogram
from .numbers import curves, digits_by_depth, errors_by_depth, scores, shares
from .tokenizer import tokenizer_stages, tokenizer_steps
from .tokens import attention_maps, heat_map, masks, positions
from .training import gradient_norms, landscape, loss_curves

__all__ = ["attention_maps", "curves", "data_flow", "digits_by_depth",
           "errors_by_depth", "gradient_norms", "heat_map", "landscape", "loss_curves",
           "masking_histogram", "masks", "positions", "scores", "shares", "style",
           "tokenizer_stages", "tokenizer_steps"]
