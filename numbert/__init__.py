"""numbert: BERT in pure NumPy that you can read, check and trust.

    import numbert
    model = numbert.BertModel.from_pretrained("path/to/checkpoint")
    tokenizer = numbert.BertTokenizer.from_pretrained("path/to/checkpoint")
    output = model(**tokenizer("Hello, world!", return_tensors="np"))
    output.last_hidden_state                                   # (1, 6, hidden_size)
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .base import BertPreTrainedModel
from .cache import DynamicCache, EncoderDecoderCache
from .config import BertConfig
from .models import (
    BertForMaskedLM, BertForMultipleChoice, BertForNextSentencePrediction,
    BertForPreTraining, BertForQuestionAnswering, BertForSequenceClassification,
    BertForTokenClassification, BertLMHeadModel, BertModel)
from .trace import Trace

if TYPE_CHECKING:
    from .sentences import embed, sentence_settings
    from .encoder_decoder import EncoderDecoderModel
    from .encoder_decoder_config import EncoderDecoderConfig
    from .finetuning import evaluate, finetune
    from .generation import generate
    from .pipelines import pipeline
    from .pretraining_run import pretrain
    from .sampling import GenerationConfig
    from .tokenization import (
        AddedToken, BatchEncoding, BertTokenizer, BertTokenizerFast,
        BertTokenizerLegacy)
    from .training import train

__version__ = "0.1.0"

# HF: the Auto classes choose an architecture; here there is only one to choose.
AutoConfig, AutoModel = BertConfig, BertModel
AutoModelForPreTraining = BertForPreTraining
AutoModelForCausalLM, AutoModelForMaskedLM = BertLMHeadModel, BertForMaskedLM
AutoModelForNextSentencePrediction = BertForNextSentencePrediction
AutoModelForSequenceClassification = BertForSequenceClassification
AutoModelForMultipleChoice = BertForMultipleChoice
AutoModelForTokenClassification = BertForTokenClassification
AutoModelForQuestionAnswering = BertForQuestionAnswering

# Public names that are imported when first used, so that `import numbert` stays quick.
LATER = {
    "AddedToken": "tokenization", "AutoTokenizer": "tokenization",
    "BatchEncoding": "tokenization", "BertTokenizer": "tokenization",
    "BertTokenizerFast": "tokenization", "BertTokenizerLegacy": "tokenization",
    "EncoderDecoderModel": "encoder_decoder",
    "EncoderDecoderConfig": "encoder_decoder_config", "GenerationConfig": "sampling",
    "embed": "sentences", "evaluate": "finetuning", "finetune": "finetuning",
    "generate": "generation", "pipeline": "pipelines", "pretrain": "pretraining_run",
    "sentence_settings": "sentences", "train": "training",
}


def __getattr__(name):
    if name not in LATER:
        raise AttributeError(f"module 'numbert' has no attribute {name!r}")
    real = "BertTokenizer" if name == "AutoTokenizer" else name
    value = getattr(import_module(f".{LATER[name]}", __name__), real)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *LATER})
