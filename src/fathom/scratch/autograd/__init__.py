"""`torch.autograd`, to be read: derivatives of programs on NumPy arrays, and pictures of them."""

# ruff: noqa: F401, I001 (names are handed on from here, a handful a line)

from fathom.scratch.autograd.graph import graph, svg
from fathom.scratch.autograd.tensor import Tensor, cos, exp, grad, hessian, jacobian, jvp, log
from fathom.scratch.autograd.tensor import maximum, no_grad, relu, sigmoid, sin, sqrt, tanh, vjp
from fathom.scratch.autograd.tensor import where
