"""numbert: BERT in pure NumPy that you can read, check and trust."""

__version__ = "0.1.0"

from .cache import DynamicCache, EncoderDecoderCache
from .config import BertConfig
from .models import (
    BertForMaskedLM, BertForMultipleChoice, BertForNextSentencePrediction,
    BertForPreTraining, BertForQuestionAnswering, BertForSequenceClassification,
    BertForTokenClassification, BertLMHeadModel, BertModel)
from .base import BertPreTrainedModel
from .trace import Trace
