"""`torch.optim.lr_scheduler`, to be read: the rate as a function of time, spelled out."""

from torch.optim.lr_scheduler import LRScheduler as LRScheduler

from fathom.scratch.optim.lr_scheduler.composed import ChainedScheduler as ChainedScheduler
from fathom.scratch.optim.lr_scheduler.composed import SequentialLR as SequentialLR
from fathom.scratch.optim.lr_scheduler.cycles import (
    CosineAnnealingWarmRestarts as CosineAnnealingWarmRestarts,
)
from fathom.scratch.optim.lr_scheduler.cycles import CyclicLR as CyclicLR
from fathom.scratch.optim.lr_scheduler.cycles import OneCycleLR as OneCycleLR
from fathom.scratch.optim.lr_scheduler.cycles import SlantedTriangularLR as SlantedTriangularLR
from fathom.scratch.optim.lr_scheduler.factors import ConstantLR as ConstantLR
from fathom.scratch.optim.lr_scheduler.factors import CosineAnnealingLR as CosineAnnealingLR
from fathom.scratch.optim.lr_scheduler.factors import ExponentialLR as ExponentialLR
from fathom.scratch.optim.lr_scheduler.factors import LambdaLR as LambdaLR
from fathom.scratch.optim.lr_scheduler.factors import LinearLR as LinearLR
from fathom.scratch.optim.lr_scheduler.factors import MultiplicativeLR as MultiplicativeLR
from fathom.scratch.optim.lr_scheduler.factors import MultiStepLR as MultiStepLR
from fathom.scratch.optim.lr_scheduler.factors import PolynomialLR as PolynomialLR
from fathom.scratch.optim.lr_scheduler.factors import StepLR as StepLR
from fathom.scratch.optim.lr_scheduler.plateau import ReduceLROnPlateau as ReduceLROnPlateau
