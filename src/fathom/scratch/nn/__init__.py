"""The layers of `torch.nn`, under the same names, written out.

One block of lines for each file, in alphabetical order. What is bookkeeping rather than
mathematics (`Module`, `Parameter`) is torch's own; `module.py` shows how it works.
"""

# ruff: noqa: F401, I001 (names are handed on from here, a handful a line)

from torch.nn import Buffer, Module, Parameter, ParameterDict, ParameterList
from torch.nn import UninitializedBuffer, UninitializedParameter

from fathom.scratch.nn import functional, init, utils
from fathom.scratch.nn.activation import Hardshrink, Hardsigmoid, Hardswish, Hardtanh, LeakyReLU
from fathom.scratch.nn.activation import PReLU, ReLU, ReLU6, RReLU, Softshrink, Softsign, Threshold
from fathom.scratch.nn.activation_smooth import CELU, ELU, GELU, GLU, LogSigmoid, Mish, SELU
from fathom.scratch.nn.activation_smooth import Sigmoid, SiLU, Softplus, Tanh, Tanhshrink
from fathom.scratch.nn.adaptive_pooling import AdaptiveAvgPool1d, AdaptiveAvgPool2d
from fathom.scratch.nn.adaptive_pooling import AdaptiveAvgPool3d, AdaptiveMaxPool1d
from fathom.scratch.nn.adaptive_pooling import AdaptiveMaxPool2d, AdaptiveMaxPool3d
from fathom.scratch.nn.adaptive_pooling import FractionalMaxPool2d, FractionalMaxPool3d
from fathom.scratch.nn.adaptive_softmax import AdaptiveLogSoftmaxWithLoss
from fathom.scratch.nn.attention import MultiheadAttention
from fathom.scratch.nn.batchnorm import BatchNorm1d, BatchNorm2d, BatchNorm3d, InstanceNorm1d
from fathom.scratch.nn.batchnorm import InstanceNorm2d, InstanceNorm3d
from fathom.scratch.nn.containers import Flatten, ModuleDict, ModuleList, Sequential, Unflatten
from fathom.scratch.nn.conv import Conv1d, Conv2d, Conv3d
from fathom.scratch.nn.conv_transpose import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from fathom.scratch.nn.distance import CosineSimilarity, PairwiseDistance
from fathom.scratch.nn.dropout import AlphaDropout, Dropout, Dropout1d, Dropout2d, Dropout3d
from fathom.scratch.nn.dropout import FeatureAlphaDropout
from fathom.scratch.nn.embedding import Embedding, EmbeddingBag
from fathom.scratch.nn.fold import Fold, Unfold
from fathom.scratch.nn.lazy import LazyBatchNorm1d, LazyBatchNorm2d, LazyBatchNorm3d, LazyConv1d
from fathom.scratch.nn.lazy import LazyConv2d, LazyConv3d, LazyConvTranspose1d, LazyConvTranspose2d
from fathom.scratch.nn.lazy import LazyConvTranspose3d, LazyInstanceNorm1d, LazyInstanceNorm2d
from fathom.scratch.nn.lazy import LazyInstanceNorm3d, LazyLinear
from fathom.scratch.nn.linear import Bilinear, Identity, Linear
from fathom.scratch.nn.loss_classification import BCELoss, BCEWithLogitsLoss, CrossEntropyLoss
from fathom.scratch.nn.loss_classification import LinearCrossEntropyLoss, NLLLoss
from fathom.scratch.nn.loss_ctc import CTCLoss
from fathom.scratch.nn.loss_ranking import CosineEmbeddingLoss, HingeEmbeddingLoss
from fathom.scratch.nn.loss_ranking import MarginRankingLoss, MultiLabelMarginLoss
from fathom.scratch.nn.loss_ranking import MultiLabelSoftMarginLoss, MultiMarginLoss, SoftMarginLoss
from fathom.scratch.nn.loss_ranking import TripletMarginLoss, TripletMarginWithDistanceLoss
from fathom.scratch.nn.loss_regression import GaussianNLLLoss, HuberLoss, KLDivLoss, L1Loss, MSELoss
from fathom.scratch.nn.loss_regression import PoissonNLLLoss, SmoothL1Loss
from fathom.scratch.nn.normalisation import GroupNorm, LayerNorm, LocalResponseNorm, RMSNorm
from fathom.scratch.nn.padding import CircularPad1d, CircularPad2d, CircularPad3d, ConstantPad1d
from fathom.scratch.nn.padding import ConstantPad2d, ConstantPad3d, ReflectionPad1d, ReflectionPad2d
from fathom.scratch.nn.padding import ReflectionPad3d, ReplicationPad1d, ReplicationPad2d
from fathom.scratch.nn.padding import ReplicationPad3d, ZeroPad1d, ZeroPad2d, ZeroPad3d
from fathom.scratch.nn.pooling import AvgPool1d, AvgPool2d, AvgPool3d, LPPool1d, LPPool2d, LPPool3d
from fathom.scratch.nn.pooling import MaxPool1d, MaxPool2d, MaxPool3d
from fathom.scratch.nn.recurrent_cells import GRUCell, LSTMCell, RNNCell, RNNCellBase
from fathom.scratch.nn.recurrent_layers import GRU, LSTM, RNN, RNNBase
from fathom.scratch.nn.softmax import LogSoftmax, Softmax, Softmax2d, Softmin
from fathom.scratch.nn.transformer import Transformer, TransformerDecoder, TransformerDecoderLayer
from fathom.scratch.nn.transformer import TransformerEncoder, TransformerEncoderLayer
from fathom.scratch.nn.unpooling import MaxUnpool1d, MaxUnpool2d, MaxUnpool3d
from fathom.scratch.nn.vision import ChannelShuffle, PixelShuffle, PixelUnshuffle, Upsample
from fathom.scratch.nn.vision import UpsamplingBilinear2d, UpsamplingNearest2d
