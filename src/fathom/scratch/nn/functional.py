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
from fathom.scratch.nn.adaptive_pooling import adaptive_avg_pool1d as adaptive_avg_pool1d
from fathom.scratch.nn.adaptive_pooling import adaptive_avg_pool2d as adaptive_avg_pool2d
from fathom.scratch.nn.adaptive_pooling import adaptive_avg_pool3d as adaptive_avg_pool3d
from fathom.scratch.nn.adaptive_pooling import adaptive_max_pool1d as adaptive_max_pool1d
from fathom.scratch.nn.adaptive_pooling import adaptive_max_pool2d as adaptive_max_pool2d
from fathom.scratch.nn.adaptive_pooling import adaptive_max_pool3d as adaptive_max_pool3d
from fathom.scratch.nn.adaptive_pooling import fractional_max_pool2d as fractional_max_pool2d
from fathom.scratch.nn.adaptive_pooling import fractional_max_pool3d as fractional_max_pool3d
from fathom.scratch.nn.attention import scaled_dot_product_attention as scaled_dot_product_attention
from fathom.scratch.nn.batchnorm import batch_norm as batch_norm
from fathom.scratch.nn.batchnorm import instance_norm as instance_norm
from fathom.scratch.nn.conv import conv1d as conv1d
from fathom.scratch.nn.conv import conv2d as conv2d
from fathom.scratch.nn.conv import conv3d as conv3d
from fathom.scratch.nn.conv_transpose import conv_transpose1d as conv_transpose1d
from fathom.scratch.nn.conv_transpose import conv_transpose2d as conv_transpose2d
from fathom.scratch.nn.conv_transpose import conv_transpose3d as conv_transpose3d
from fathom.scratch.nn.distance import cosine_similarity as cosine_similarity
from fathom.scratch.nn.distance import pairwise_distance as pairwise_distance
from fathom.scratch.nn.dropout import alpha_dropout as alpha_dropout
from fathom.scratch.nn.dropout import dropout as dropout
from fathom.scratch.nn.dropout import dropout1d as dropout1d
from fathom.scratch.nn.dropout import dropout2d as dropout2d
from fathom.scratch.nn.dropout import dropout3d as dropout3d
from fathom.scratch.nn.dropout import feature_alpha_dropout as feature_alpha_dropout
from fathom.scratch.nn.embedding import embedding as embedding
from fathom.scratch.nn.embedding import embedding_bag as embedding_bag
from fathom.scratch.nn.fold import fold as fold
from fathom.scratch.nn.fold import unfold as unfold
from fathom.scratch.nn.linear import bilinear as bilinear
from fathom.scratch.nn.linear import linear as linear
from fathom.scratch.nn.loss_classification import binary_cross_entropy as binary_cross_entropy
from fathom.scratch.nn.loss_classification import (
    binary_cross_entropy_with_logits as binary_cross_entropy_with_logits,
)
from fathom.scratch.nn.loss_classification import cross_entropy as cross_entropy
from fathom.scratch.nn.loss_classification import linear_cross_entropy as linear_cross_entropy
from fathom.scratch.nn.loss_classification import nll_loss as nll_loss
from fathom.scratch.nn.loss_ctc import ctc_loss as ctc_loss
from fathom.scratch.nn.loss_ranking import cosine_embedding_loss as cosine_embedding_loss
from fathom.scratch.nn.loss_ranking import hinge_embedding_loss as hinge_embedding_loss
from fathom.scratch.nn.loss_ranking import margin_ranking_loss as margin_ranking_loss
from fathom.scratch.nn.loss_ranking import multi_margin_loss as multi_margin_loss
from fathom.scratch.nn.loss_ranking import multilabel_margin_loss as multilabel_margin_loss
from fathom.scratch.nn.loss_ranking import (
    multilabel_soft_margin_loss as multilabel_soft_margin_loss,
)
from fathom.scratch.nn.loss_ranking import soft_margin_loss as soft_margin_loss
from fathom.scratch.nn.loss_ranking import triplet_margin_loss as triplet_margin_loss
from fathom.scratch.nn.loss_ranking import (
    triplet_margin_with_distance_loss as triplet_margin_with_distance_loss,
)
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
from fathom.scratch.nn.padding import pad as pad
from fathom.scratch.nn.pooling import avg_pool1d as avg_pool1d
from fathom.scratch.nn.pooling import avg_pool2d as avg_pool2d
from fathom.scratch.nn.pooling import avg_pool3d as avg_pool3d
from fathom.scratch.nn.pooling import lp_pool1d as lp_pool1d
from fathom.scratch.nn.pooling import lp_pool2d as lp_pool2d
from fathom.scratch.nn.pooling import lp_pool3d as lp_pool3d
from fathom.scratch.nn.pooling import max_pool1d as max_pool1d
from fathom.scratch.nn.pooling import max_pool2d as max_pool2d
from fathom.scratch.nn.pooling import max_pool3d as max_pool3d
from fathom.scratch.nn.softmax import log_softmax as log_softmax
from fathom.scratch.nn.softmax import softmax as softmax
from fathom.scratch.nn.softmax import softmin as softmin
from fathom.scratch.nn.unpooling import max_unpool1d as max_unpool1d
from fathom.scratch.nn.unpooling import max_unpool2d as max_unpool2d
from fathom.scratch.nn.unpooling import max_unpool3d as max_unpool3d
from fathom.scratch.nn.vision import channel_shuffle as channel_shuffle
from fathom.scratch.nn.vision import interpolate as interpolate
from fathom.scratch.nn.vision import pixel_shuffle as pixel_shuffle
from fathom.scratch.nn.vision import pixel_unshuffle as pixel_unshuffle
