"""The functions of `torch.nn.functional`, under the same names, written out.

One block of imports for each file, in alphabetical order.
"""

# ruff: noqa: F401, I001 (names are handed on from here, a handful a line)

from fathom.scratch.nn.activation import hardshrink, hardsigmoid, hardswish, hardtanh, leaky_relu
from fathom.scratch.nn.activation import prelu, relu, relu6, rrelu, softshrink, softsign, threshold
from fathom.scratch.nn.activation_smooth import celu, elu, gelu, glu, logsigmoid, mish, selu
from fathom.scratch.nn.activation_smooth import sigmoid, silu, softplus, tanh, tanhshrink
from fathom.scratch.nn.adaptive_pooling import adaptive_avg_pool1d, adaptive_avg_pool2d
from fathom.scratch.nn.adaptive_pooling import adaptive_avg_pool3d, adaptive_max_pool1d
from fathom.scratch.nn.adaptive_pooling import adaptive_max_pool2d, adaptive_max_pool3d
from fathom.scratch.nn.adaptive_pooling import fractional_max_pool2d, fractional_max_pool3d
from fathom.scratch.nn.attention import scaled_dot_product_attention
from fathom.scratch.nn.batchnorm import batch_norm, instance_norm
from fathom.scratch.nn.conv import conv1d, conv2d, conv3d
from fathom.scratch.nn.conv_transpose import conv_transpose1d, conv_transpose2d, conv_transpose3d
from fathom.scratch.nn.distance import cosine_similarity, pairwise_distance
from fathom.scratch.nn.dropout import alpha_dropout, dropout, dropout1d, dropout2d, dropout3d
from fathom.scratch.nn.dropout import feature_alpha_dropout
from fathom.scratch.nn.embedding import embedding, embedding_bag
from fathom.scratch.nn.fold import fold, unfold
from fathom.scratch.nn.linear import bilinear, linear
from fathom.scratch.nn.loss_classification import binary_cross_entropy, nll_loss
from fathom.scratch.nn.loss_classification import binary_cross_entropy_with_logits, cross_entropy
from fathom.scratch.nn.loss_classification import linear_cross_entropy
from fathom.scratch.nn.loss_ctc import ctc_loss
from fathom.scratch.nn.loss_ranking import cosine_embedding_loss, hinge_embedding_loss
from fathom.scratch.nn.loss_ranking import margin_ranking_loss, multi_margin_loss
from fathom.scratch.nn.loss_ranking import multilabel_margin_loss, multilabel_soft_margin_loss
from fathom.scratch.nn.loss_ranking import soft_margin_loss, triplet_margin_loss
from fathom.scratch.nn.loss_ranking import triplet_margin_with_distance_loss
from fathom.scratch.nn.loss_regression import gaussian_nll_loss, huber_loss, kl_div, l1_loss
from fathom.scratch.nn.loss_regression import mse_loss, poisson_nll_loss, smooth_l1_loss
from fathom.scratch.nn.normalisation import group_norm, layer_norm, local_response_norm, rms_norm
from fathom.scratch.nn.padding import pad
from fathom.scratch.nn.pooling import avg_pool1d, avg_pool2d, avg_pool3d, lp_pool1d, lp_pool2d
from fathom.scratch.nn.pooling import lp_pool3d, max_pool1d, max_pool2d, max_pool3d
from fathom.scratch.nn.softmax import log_softmax, softmax, softmin
from fathom.scratch.nn.unpooling import max_unpool1d, max_unpool2d, max_unpool3d
from fathom.scratch.nn.vision import channel_shuffle, interpolate, pixel_shuffle, pixel_unshuffle
