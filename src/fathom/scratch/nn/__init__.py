"""The layers of `torch.nn`, under the same names, written out.

One block of imports for each file, in alphabetical order. What is bookkeeping rather than
mathematics (`Module`, `Parameter`) is torch's own; `module.py` shows how it works.
"""

from torch.nn import Module as Module
from torch.nn import Parameter as Parameter

from fathom.scratch.nn import init as init
from fathom.scratch.nn.containers import Flatten as Flatten
from fathom.scratch.nn.containers import ModuleDict as ModuleDict
from fathom.scratch.nn.containers import ModuleList as ModuleList
from fathom.scratch.nn.containers import ParameterDict as ParameterDict
from fathom.scratch.nn.containers import ParameterList as ParameterList
from fathom.scratch.nn.containers import Sequential as Sequential
from fathom.scratch.nn.containers import Unflatten as Unflatten
from fathom.scratch.nn.conv import Conv1d as Conv1d
from fathom.scratch.nn.conv import Conv2d as Conv2d
from fathom.scratch.nn.conv import Conv3d as Conv3d
from fathom.scratch.nn.fold import Fold as Fold
from fathom.scratch.nn.fold import Unfold as Unfold
from fathom.scratch.nn.linear import Bilinear as Bilinear
from fathom.scratch.nn.linear import Identity as Identity
from fathom.scratch.nn.linear import Linear as Linear
from fathom.scratch.nn.padding import CircularPad1d as CircularPad1d
from fathom.scratch.nn.padding import CircularPad2d as CircularPad2d
from fathom.scratch.nn.padding import CircularPad3d as CircularPad3d
from fathom.scratch.nn.padding import ConstantPad1d as ConstantPad1d
from fathom.scratch.nn.padding import ConstantPad2d as ConstantPad2d
from fathom.scratch.nn.padding import ConstantPad3d as ConstantPad3d
from fathom.scratch.nn.padding import ReflectionPad1d as ReflectionPad1d
from fathom.scratch.nn.padding import ReflectionPad2d as ReflectionPad2d
from fathom.scratch.nn.padding import ReflectionPad3d as ReflectionPad3d
from fathom.scratch.nn.padding import ReplicationPad1d as ReplicationPad1d
from fathom.scratch.nn.padding import ReplicationPad2d as ReplicationPad2d
from fathom.scratch.nn.padding import ReplicationPad3d as ReplicationPad3d
from fathom.scratch.nn.padding import ZeroPad1d as ZeroPad1d
from fathom.scratch.nn.padding import ZeroPad2d as ZeroPad2d
from fathom.scratch.nn.padding import ZeroPad3d as ZeroPad3d
from fathom.scratch.nn.pooling import AvgPool1d as AvgPool1d
from fathom.scratch.nn.pooling import AvgPool2d as AvgPool2d
from fathom.scratch.nn.pooling import AvgPool3d as AvgPool3d
from fathom.scratch.nn.pooling import LPPool1d as LPPool1d
from fathom.scratch.nn.pooling import LPPool2d as LPPool2d
from fathom.scratch.nn.pooling import LPPool3d as LPPool3d
from fathom.scratch.nn.pooling import MaxPool1d as MaxPool1d
from fathom.scratch.nn.pooling import MaxPool2d as MaxPool2d
from fathom.scratch.nn.pooling import MaxPool3d as MaxPool3d
