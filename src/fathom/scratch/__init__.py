"""PyTorch rebuilt to be read: the names of `torch`, computed from elementary tensor operations."""

from fathom.scratch import nn as nn
