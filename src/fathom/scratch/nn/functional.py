"""The functions of `torch.nn.functional`, under the same names, written out.

One block of imports for each file, in alphabetical order.
"""

# ruff: noqa: PLC0414 (a function is passed on by being renamed to its own name)

from fathom.scratch.nn.activation import hardshrink as hardshrink
from fathom.scratch.nn.activation import hardsigmoid as hardsigmoid
from fathom.scratch.nn.activation import hardswish as hardswish
from fathom.scratch.nn.activation import hardtanh as hardtanh
from fathom.scratch.nn.activation import leaky_relu as leaky_relu
from fathom.scratch.nn.activation import prelu as prelu
from fathom.scratch.nn.activation import relu as relu
from fathom.scratch.nn.activation import relu6 as relu6
from fathom.scratch.nn.activation import rrelu as rrelu
from fathom.scratch.nn.activation import softshrink as softshrink
from fathom.scratch.nn.activation import softsign as softsign
from fathom.scratch.nn.activation import threshold as threshold
from fathom.scratch.nn.activation_smooth import celu as celu
from fathom.scratch.nn.activation_smooth import elu as elu
from fathom.scratch.nn.activation_smooth import gelu as gelu
from fathom.scratch.nn.activation_smooth import glu as glu
from fathom.scratch.nn.activation_smooth import logsigmoid as logsigmoid
from fathom.scratch.nn.activation_smooth import mish as mish
from fathom.scratch.nn.activation_smooth import selu as selu
from fathom.scratch.nn.activation_smooth import sigmoid as sigmoid
from fathom.scratch.nn.activation_smooth import silu as silu
from fathom.scratch.nn.activation_smooth import softplus as softplus
from fathom.scratch.nn.activation_smooth import tanh as tanh
from fathom.scratch.nn.activation_smooth import tanhshrink as tanhshrink
from fathom.scratch.nn.attention import scaled_dot_product_attention as scaled_dot_product_attention
from fathom.scratch.nn.batchnorm import batch_norm as batch_norm
from fathom.scratch.nn.batchnorm import instance_norm as instance_norm
from fathom.scratch.nn.dropout import alpha_dropout as alpha_dropout
from fathom.scratch.nn.dropout import dropout as dropout
from fathom.scratch.nn.dropout import dropout1d as dropout1d
from fathom.scratch.nn.dropout import dropout2d as dropout2d
from fathom.scratch.nn.dropout import dropout3d as dropout3d
from fathom.scratch.nn.dropout import feature_alpha_dropout as feature_alpha_dropout
from fathom.scratch.nn.embedding import embedding as embedding
from fathom.scratch.nn.embedding import embedding_bag as embedding_bag
from fathom.scratch.nn.loss_classification import binary_cross_entropy as binary_cross_entropy
from fathom.scratch.nn.loss_classification import (
    binary_cross_entropy_with_logits as binary_cross_entropy_with_logits,
)
from fathom.scratch.nn.loss_classification import cross_entropy as cross_entropy
from fathom.scratch.nn.loss_classification import linear_cross_entropy as linear_cross_entropy
from fathom.scratch.nn.loss_classification import nll_loss as nll_loss
from fathom.scratch.nn.loss_regression import gaussian_nll_loss as gaussian_nll_loss
from fathom.scratch.nn.loss_regression import huber_loss as huber_loss
from fathom.scratch.nn.loss_regression import kl_div as kl_div
from fathom.scratch.nn.loss_regression import l1_loss as l1_loss
from fathom.scratch.nn.loss_regression import mse_loss as mse_loss
from fathom.scratch.nn.loss_regression import poisson_nll_loss as poisson_nll_loss
from fathom.scratch.nn.loss_regression import smooth_l1_loss as smooth_l1_loss
from fathom.scratch.nn.normalisation import group_norm as group_norm
from fathom.scratch.nn.normalisation import layer_norm as layer_norm
from fathom.scratch.nn.normalisation import local_response_norm as local_response_norm
from fathom.scratch.nn.normalisation import rms_norm as rms_norm
from fathom.scratch.nn.softmax import log_softmax as log_softmax
from fathom.scratch.nn.softmax import softmax as softmax
from fathom.scratch.nn.softmax import softmin as softmin
