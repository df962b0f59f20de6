"""PyTorch rebuilt to be read: the names of `torch`, computed from elementary tensor operations."""

from fathom.scratch import autograd as autograd
from fathom.scratch import nn as nn
from fathom.scratch import optim as optim
