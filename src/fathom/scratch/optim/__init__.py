"""`torch.optim`, to be read: same classes, arguments and states, a rule of a few lines each.

Without SparseAdam: it is Adam on the rows that a sparse gradient holds, and nothing here makes
sparse gradients.
"""

from torch.optim import Optimizer as Optimizer

from fathom.scratch.optim import lr_scheduler as lr_scheduler
from fathom.scratch.optim.adam import Adam as Adam
from fathom.scratch.optim.adam import Adamax as Adamax
from fathom.scratch.optim.adam import AdamW as AdamW
from fathom.scratch.optim.adam import NAdam as NAdam
from fathom.scratch.optim.adam import RAdam as RAdam
from fathom.scratch.optim.adam import Yogi as Yogi
from fathom.scratch.optim.adaptive import Adadelta as Adadelta
from fathom.scratch.optim.adaptive import Adagrad as Adagrad
from fathom.scratch.optim.adaptive import RMSprop as RMSprop
from fathom.scratch.optim.adaptive import Rprop as Rprop
from fathom.scratch.optim.lbfgs import LBFGS as LBFGS
from fathom.scratch.optim.matrix import Adafactor as Adafactor
from fathom.scratch.optim.matrix import Muon as Muon
from fathom.scratch.optim.sgd import ASGD as ASGD
from fathom.scratch.optim.sgd import SGD as SGD
