"""`torch.optim`, to be read: same classes, arguments and states, a rule of a few lines each."""

from torch.optim import Optimizer as Optimizer

from fathom.scratch.optim.sgd import ASGD as ASGD
from fathom.scratch.optim.sgd import SGD as SGD
