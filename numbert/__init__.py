"""numbert: BERT in pure NumPy that you can read, check and trust.

    import numbert
    model = numbert.BertModel.from_pretrained("path/to/checkpoint")
    tokenizer = numbert.BertTokenizer.from_pretrained("path/to/checkpoint")
    output = model(**tokenizer("Hello, world!", return_tensors="np"))
    output.last_hidden_state                                   # (1, 6, hidden_size)
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .models.base import BertPreTrainedModel
from .models.cache import DynamicCache, EncoderDecoderCache
from .models.classes import (BertForMaskedLM, BertForMultipleChoice,
                             BertForNextSentencePrediction, BertForPreTraining,
                             BertForQuestionAnswering, BertForSequenceClassification,
                             BertForTokenClassification, BertLMHeadModel, BertModel)
from .models.config import BertConfig
from .models.trace import Trace

if TYPE_CHECKING:
    from .models.encoder_decoder import EncoderDecoderModel
    from .models.encoder_decoder_config import EncoderDecoderConfig
    from .models.generation import generate
    from .models.sampling import GenerationConfig
    from .pipelines import pipeline
    from .pipelines.sentences import embed, sentence_settings
    from .tasks.finetuning import evaluate, finetune
    from .tasks.pretraining import pretrain
    from .tokenization import (
        AddedToken, BatchEncoding, BertTokenizer, BertTokenizerFast,
        BertTokenizerLegacy)
    from .training.loop import train

__version__ = "0.1.0"

# HF: the Auto classes choose an architecture; numbert has only one.
AutoConfig, AutoModel = BertConfig, BertModel
AutoModelForPreTraining = BertForPreTraining
AutoModelForCausalLM, AutoModelForMaskedLM = BertLMHeadModel, BertForMaskedLM
AutoModelForNextSentencePrediction = BertForNextSentencePrediction
AutoModelForSequenceClassification = BertForSequenceClassification
AutoModelForMultipleChoice = BertForMultipleChoice
AutoModelForTokenClassification = BertForTokenClassification
AutoModelForQuestionAnswering = BertForQuestionAnswering

# Public names that are imported on first use, so that `import numbert` stays quick.
LATER = {
    "AddedToken": "tokenization", "AutoTokenizer": "tokenization",
    "BatchEncoding": "tokenization", "BertTokenizer": "tokenization",
    "BertTokenizerFast": "tokenization", "BertTokenizerLegacy": "tokenization",
    "EncoderDecoderModel": "models.encoder_decoder",
    "EncoderDecoderConfig": "models.encoder_decoder_config",
    "GenerationConfig": "models.sampling", "generate": "models.generation",
    "pipeline": "pipelines", "embed": "pipelines.sentences",
    "sentence_settings": "pipelines.sentences",
    "train": "training.loop", "evaluate": "tasks.finetuning",
    "finetune": "tasks.finetuning", "pretrain": "tasks.pretraining",
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
