"""`torch.autograd`, to be read: derivatives of programs on NumPy arrays, and pictures of them."""

from fathom.scratch.autograd.graph import graph as graph
from fathom.scratch.autograd.graph import svg as svg
from fathom.scratch.autograd.tensor import Tensor as Tensor
from fathom.scratch.autograd.tensor import cos as cos
from fathom.scratch.autograd.tensor import exp as exp
from fathom.scratch.autograd.tensor import grad as grad
from fathom.scratch.autograd.tensor import hessian as hessian
from fathom.scratch.autograd.tensor import jacobian as jacobian
from fathom.scratch.autograd.tensor import jvp as jvp
from fathom.scratch.autograd.tensor import log as log
from fathom.scratch.autograd.tensor import maximum as maximum
from fathom.scratch.autograd.tensor import no_grad as no_grad
from fathom.scratch.autograd.tensor import relu as relu
from fathom.scratch.autograd.tensor import sigmoid as sigmoid
from fathom.scratch.autograd.tensor import sin as sin
from fathom.scratch.autograd.tensor import sqrt as sqrt
from fathom.scratch.autograd.tensor import tanh as tanh
from fathom.scratch.autograd.tensor import vjp as vjp
from fathom.scratch.autograd.tensor import where as where
