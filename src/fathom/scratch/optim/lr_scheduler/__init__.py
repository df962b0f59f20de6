"""`torch.optim.lr_scheduler`, to be read: the rate as a function of time, spelled out."""

# ruff: noqa: F401, I001 (names are handed on from here, a handful a line)

from torch.optim.lr_scheduler import LRScheduler

from fathom.scratch.optim.lr_scheduler.composed import ChainedScheduler, SequentialLR
from fathom.scratch.optim.lr_scheduler.cycles import CosineAnnealingWarmRestarts, CyclicLR
from fathom.scratch.optim.lr_scheduler.cycles import OneCycleLR
from fathom.scratch.optim.lr_scheduler.factors import ConstantLR, CosineAnnealingLR, ExponentialLR
from fathom.scratch.optim.lr_scheduler.factors import LambdaLR, LinearLR, MultiplicativeLR, StepLR
from fathom.scratch.optim.lr_scheduler.factors import MultiStepLR, PolynomialLR, SlantedTriangularLR
from fathom.scratch.optim.lr_scheduler.plateau import ReduceLROnPlateau
