"""numbert: BERT in pure NumPy that you can read, check and trust.

    import numbert
    model = numbert.BertModel.from_pretrained("path/to/checkpoint")
    tokenizer = numbert.BertTokenizer.from_pretrained("path/to/checkpoint")
    output = model(**tokenizer("Hello, world!", return_tensors="np"))
    output.last_hidden_state                                   # (1, 6, hidden_size)
"""

__version__ = "0.1.0"

from .base import BertPreTrainedModel
from .cache import DynamicCache, EncoderDecoderCache
from .config import BertConfig
from .embed import embed, sentence_settings
from .encoder_decoder import EncoderDecoderModel
from .encoder_decoder_config import EncoderDecoderConfig
from .models import (
    BertForMaskedLM, BertForMultipleChoice, BertForNextSentencePrediction,
    BertForPreTraining, BertForQuestionAnswering, BertForSequenceClassification,
    BertForTokenClassification, BertLMHeadModel, BertModel)
from .sampling import GenerationConfig
from .tokenization import (
    AddedToken, BatchEncoding, BertTokenizer, BertTokenizerFast, BertTokenizerLegacy)
from .trace import Trace
