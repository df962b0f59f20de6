"""`torch.optim`, to be read: same classes, arguments and states, a rule of a few lines each.

Without SparseAdam: it is Adam on the rows that a sparse gradient holds, and nothing here makes
sparse gradients.
"""

# ruff: noqa: F401 (names are handed on from here)

from torch.optim import Optimizer

from fathom.scratch.optim import lr_scheduler
from fathom.scratch.optim.adam import Adam, Adamax, AdamW, NAdam, RAdam, Yogi
from fathom.scratch.optim.adaptive import Adadelta, Adagrad, RMSprop, Rprop
from fathom.scratch.optim.lbfgs import LBFGS
from fathom.scratch.optim.matrix import Adafactor, Muon
from fathom.scratch.optim.sgd import ASGD, SGD
