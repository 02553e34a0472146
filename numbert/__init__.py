"""numbert: BERT in pure NumPy that you can read, check and trust.

    import numbert
    path = numbert.example_checkpoint()          # or any folder with a BERT in it
    model = numbert.BertModel.from_pretrained(path)
    tokenizer = numbert.BertTokenizer.from_pretrained(path)
    output = model(**tokenizer("Anna lives in Oslo.", return_tensors="np"))
    output.last_hidden_state.shape                             # (1, 7, 96)
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .models.others import OTHERS as _OTHERS

if TYPE_CHECKING:
    from .backends.exact import exact
    from .backends.onnx_export import export_onnx
    from .checkpoints import example_checkpoint
    from .models.base import BertPreTrainedModel
    from .models.cache import DynamicCache, EncoderDecoderCache
    from .models.classes import (
        BertForMaskedLM, BertForMultipleChoice, BertForNextSentencePrediction,
        BertForPreTraining, BertForQuestionAnswering, BertForSequenceClassification,
        BertForTokenClassification, BertLMHeadModel, BertModel)
    from .models.config import BertConfig
    from .models.encoder_decoder import EncoderDecoderModel
    from .models.encoder_decoder_config import EncoderDecoderConfig
    from .models.generation import generate
    from .models.generation_config import GenerationConfig
    from .models.taps import taps
    from .models.trace import Trace
    from .pipelines import pipeline
    from .pipelines.sentence_files import sentence_settings
    from .pipelines.sentences import embed
    from .system.parallel import set_num_threads
    from .tasks.finetuning import evaluate, finetune
    from .tasks.pretraining import pretrain
    from .tokenization import (
        AddedToken, BasicTokenizer, BatchEncoding, BertTokenizer, BertTokenizerFast,
        BertTokenizerLegacy, WordpieceTokenizer)
    from .training.collators import (DataCollatorForLanguageModeling,
                                     DataCollatorWithPadding)
    from .training.loop import train
    AutoConfig, AutoModel, AutoTokenizer = BertConfig, BertModel, BertTokenizer
    AutoModelForPreTraining = BertForPreTraining
    AutoModelForCausalLM, AutoModelForMaskedLM = BertLMHeadModel, BertForMaskedLM
    AutoModelForNextSentencePrediction = BertForNextSentencePrediction
    AutoModelForSequenceClassification = BertForSequenceClassification
    AutoModelForMultipleChoice = BertForMultipleChoice
    AutoModelForTokenClassification = BertForTokenClassification
    AutoModelForQuestionAnswering = BertForQuestionAnswering

__version__ = "0.1.0"

_OTHERS["torch"] = lambda: import_module(".backends.torch_model", __name__)

# Public names, and where they are; each is imported on first use, so that `import
# numbert` and the command are quick.
LATER = {
    "BertConfig": "models.config", "BertModel": "models.classes",
    "BertForPreTraining": "models.classes", "BertLMHeadModel": "models.classes",
    "BertForMaskedLM": "models.classes",
    "BertForNextSentencePrediction": "models.classes",
    "BertForSequenceClassification": "models.classes",
    "BertForMultipleChoice": "models.classes",
    "BertForTokenClassification": "models.classes",
    "BertForQuestionAnswering": "models.classes",
    "BertPreTrainedModel": "models.base", "Trace": "models.trace",
    "DynamicCache": "models.cache", "EncoderDecoderCache": "models.cache",
    "EncoderDecoderModel": "models.encoder_decoder",
    "EncoderDecoderConfig": "models.encoder_decoder_config",
    "GenerationConfig": "models.generation_config", "generate": "models.generation",
    "taps": "models.taps", "AddedToken": "tokenization",
    "BasicTokenizer": "tokenization", "WordpieceTokenizer": "tokenization",
    "BatchEncoding": "tokenization", "BertTokenizer": "tokenization",
    "BertTokenizerFast": "tokenization", "BertTokenizerLegacy": "tokenization",
    "example_checkpoint": "checkpoints",
    "pipeline": "pipelines", "embed": "pipelines.sentences",
    "sentence_settings": "pipelines.sentence_files",
    "DataCollatorForLanguageModeling": "training.collators",
    "DataCollatorWithPadding": "training.collators",
    "exact": "backends.exact", "export_onnx": "backends.onnx_export",
    "train": "training.loop", "evaluate": "tasks.finetuning",
    "finetune": "tasks.finetuning", "pretrain": "tasks.pretraining",
    "set_num_threads": "system.parallel",
}
# HF: the Auto classes choose an architecture; numbert has only one.
AUTO = {
    "AutoConfig": "BertConfig", "AutoModel": "BertModel",
    "AutoTokenizer": "BertTokenizer", "AutoModelForPreTraining": "BertForPreTraining",
    "AutoModelForCausalLM": "BertLMHeadModel",
    "AutoModelForMaskedLM": "BertForMaskedLM",
    "AutoModelForNextSentencePrediction": "BertForNextSentencePrediction",
    "AutoModelForSequenceClassification": "BertForSequenceClassification",
    "AutoModelForMultipleChoice": "BertForMultipleChoice",
    "AutoModelForTokenClassification": "BertForTokenClassification",
    "AutoModelForQuestionAnswering": "BertForQuestionAnswering",
}
# Rooms with names of their own that users reach as numbert.testing.strategies.
ROOMS = ("bert", "models", "pipelines", "system", "tasks", "testing", "tokenization",
         "training", "verify")
# What `from numbert import *` imports; `exact` needs python-flint.
__all__ = sorted({*LATER, *AUTO} - {"exact"})


def __getattr__(name):
    if name in ROOMS:
        return import_module(f".{name}", __name__)
    name = AUTO.get(name, name)
    if name not in LATER:
        from .system.absent import ABSENT, no_attribute
        if name in ABSENT:
            raise no_attribute("numbert", name)
        raise AttributeError(f"module 'numbert' has no attribute {name!r}")
    value = globals()[name] = getattr(
        import_module(f".{LATER[name]}", __name__), name)
    return value


def __dir__():
    return sorted({*globals(), *LATER, *AUTO, *ROOMS})
