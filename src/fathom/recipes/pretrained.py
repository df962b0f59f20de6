"""Networks that have learned already: from a file, from a run of one's own, or made here once.

Weights are read with no chance to run code, and must fit the network name by name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from fathom.core.catalogue import load
from fathom.core.errors import CheckpointError, FathomError, SettingError
from fathom.core.kept import keep_facts, known_as
from fathom.core.paths import cache_dir, write_whole
from fathom.core.recipe import Recipe
from fathom.core.seeds import random_states, restore_random_states
from fathom.data import shapes
from fathom.data.class_halves import half
from fathom.data.fingerprints import of_words
from fathom.data.picture_set import Form, PictureSet
from fathom.data.treatment import Treatment
from fathom.engine.prepare import Prepared, prepare
from fathom.engine.runs import Run, open_run
from fathom.engine.trained import trained as trained_run
from fathom.engine.weights import load_plain, load_safetensors, restore, to_safetensors
from fathom.models.networks import NETWORKS, make_network
from fathom.models.normalised import IMAGENET, normalised
from fathom.models.resnet import small_resnet
from fathom.objectives import cross_entropy
from fathom.recipes.libraries import Library, library
from fathom.recipes.schedules import one_cycle
from fathom.recipes.training import trained
from fathom.vision.augment import random_crop

Weights = Annotated[
    str,
    "what has been learned: shapes (of half of its classes, made once), a run's folder, or a file "
    "of weights (.safetensors, .pth)",
]
WIDTH, MADE, EPOCHS, BATCH, RATE = 16, 5_000, 8, 64, 0.2  # of the network made here
COUNT = "num_batches_tracked"
KEPT = "network.json"
PROBE = 3  # classes of a network that is only looked at


@dataclass(frozen=True)
class Pretrained:
    """A network with the head that it was trained with, and the form of its pictures."""

    model: nn.Module
    form: Form


@dataclass(frozen=True)
class Origin:
    """What a run keeps of the network that it began with: its own weights come on top of it.

    Either a `network` by name for so many `classes`, or what another run was made by and kept.
    """

    network: str = ""
    classes: int = PROBE
    recipe: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)


def pretrained(word: str, network: str | None, lib: Library, impl: Any) -> Pretrained:
    """The network that `word` means; of a file it is the one called `network`, or found by names.

    For a trained model it is made as it was, but without what it had learned before: that is in
    the run's own weights. Raises CheckpointError, in one line, for weights that cannot be read or
    do not fit.
    """
    origin = known_as(KEPT, lambda facts: Origin(**facts))
    if origin is not None:
        return _made_again(origin, lib, impl)
    if word == shapes.SOURCE.name:
        found = _of_shapes(lib)
        restore(found.model, _shapes_weights(), "the network made of shapes")
        return _kept(found, Origin(network=word))
    path = Path(word).expanduser()
    if path.is_file():
        return _of_file(path, network, lib)
    try:
        run = open_run(str(path))
    except SettingError:
        wrong = "is neither a file of weights nor a run"
        raise CheckpointError(word, wrong, "name one, or say --weights shapes") from None
    return _of_run(run, impl)


def _kept(found: Pretrained, origin: Origin) -> Pretrained:
    keep_facts(KEPT, lambda: {name: value for name, value in asdict(origin).items() if value})
    return found


def _made_again(origin: Origin, lib: Library, impl: Any) -> Pretrained:
    if origin.network == shapes.SOURCE.name:
        return _of_shapes(lib)
    if origin.network:
        return _of_network(origin.network, origin.classes, lib)
    recipe = load(origin.recipe)
    settings = recipe.settings({**origin.arguments, **_impl(recipe, impl)})

    def build() -> Prepared:
        return prepare(recipe, settings, seed=0, device="cpu", known=origin.kept, unread=True)

    return _seeing(build, "the run that it began with", recipe.name)


def _of_run(run: Run, impl: Any) -> Pretrained:
    """The network of a run."""
    recipe = load(run.recipe)
    changes = _impl(recipe, impl)

    def build() -> Prepared:
        return trained_run(run, recipe, changes, device="cpu", say=lambda text: None, unread=True)

    found = _seeing(build, str(run.folder), run.recipe)
    origin = Origin(recipe=run.recipe, arguments=run.facts["arguments"], kept=run.kept())
    return _kept(found, origin)


def _impl(recipe: Recipe, impl: Any) -> dict[str, Any]:
    return {"impl": impl} if "impl" in recipe.arguments else {}


def _seeing(build: Callable[[], Prepared], thing: str, recipe: str) -> Pretrained:
    """The network that is built, if it sees pictures. What that does to seeds is undone."""
    threads, states = torch.get_num_threads(), random_states()
    try:
        prepared = build()
    finally:
        torch.set_num_threads(threads)
        restore_random_states(states)
    inputs, _ = next(iter(prepared.train.epoch(0, 0)))
    if not isinstance(inputs, Tensor) or inputs.dim() != 4:
        raise CheckpointError(thing, f"{recipe} sees no pictures", "name another run")
    C, H, W = inputs.shape[1:]
    return Pretrained(prepared.experiment.model.train(), (C, H, W))


def _of_file(path: Path, network: str | None, lib: Library) -> Pretrained:
    tensors = _tensors(path)
    network = network or _found_by_names(tensors, path)
    # Built for as many classes as the file has, so that what does not fit is no head's fault.
    classes = _classes(network, tensors) or PROBE
    found = _of_network(network, classes, lib)
    for name, tensor in found.model.state_dict().items():
        if name.endswith(COUNT):  # a count that older files do not hold
            tensors.setdefault(name, torch.zeros_like(tensor))
    try:
        restore(found.model, tensors, str(path))
    except CheckpointError as error:
        remedy = f"name its --network: this is {network}"
        raise CheckpointError(error.thing, error.wrong, remedy) from None
    return _kept(found, Origin(network=network, classes=classes))


def _of_network(network: str, classes: int, lib: Library) -> Pretrained:
    """A network by name, with its first values."""
    model, found = make_network(network, classes, nn=lib.nn), NETWORKS[network]
    if found.channels == 3 and isinstance(model, nn.Sequential | lib.nn.Sequential):
        model = normalised(model, IMAGENET)
    return Pretrained(model, (found.channels, found.size, found.size))


def _of_shapes(lib: Library) -> Pretrained:
    """The network that is made here, with its first values."""
    model = _small(len(shapes.CLASSES[::2]), lib.nn)
    return Pretrained(model, (3, shapes.SIZE, shapes.SIZE))


def _tensors(path: Path) -> dict[str, Tensor]:
    """Tensors by name; what training scripts keep beside the weights is left out."""
    if path.suffix == ".safetensors":
        return load_safetensors(path)
    held = load_plain(path)
    for key in ("state_dict", "model"):
        if isinstance(held, Mapping) and isinstance(held.get(key), Mapping):
            held = held[key]
    named = isinstance(held, Mapping) and held
    if not named or not all(isinstance(value, Tensor) for value in held.values()):
        remedy = "save the model's state_dict"
        raise CheckpointError(str(path), "does not hold weights by name", remedy)
    return {str(name): tensor for name, tensor in held.items()}


def _classes(network: str, tensors: Mapping[str, Tensor]) -> int | None:
    """How many classes the weights are for, if they are those of the network."""
    with torch.device("meta"):
        own = make_network(network, PROBE).state_dict()
    names, theirs = ({n for n in t if not n.endswith(COUNT)} for t in (own, tensors))
    if names != theirs:
        return None
    found = {PROBE}
    for name in names:
        here, there = own[name].shape, tensors[name].shape
        if here != there:
            if here[:1] != (PROBE,) or here[1:] != there[1:]:
                return None
            found = found - {PROBE} | {there[0]}
    return found.pop() if len(found) == 1 else None


def _found_by_names(tensors: Mapping[str, Tensor], path: Path) -> str:
    """The first network whose weights have these names and shapes, published ones first."""
    for network in sorted(NETWORKS, key=lambda name: name.startswith("book-")):
        if _classes(network, tensors) is not None:
            return network
    wrong = f"has the names and shapes of no network here ({next(iter(tensors))} is its first)"
    raise CheckpointError(str(path), wrong, "name its --network to see what differs")


def _small(classes: int, layers: Any) -> nn.Module:
    """ResNet-18 for 32 pixels, narrow: its stages begin with 16."""
    model: Any = small_resnet(classes, width=WIDTH, nn=layers)
    model.conv1.stride = (2, 2)
    return normalised(model, IMAGENET)


@cache
def _shapes_weights() -> dict[str, Tensor]:
    """Those of a network that tells every second class of `shapes`: made once, kept in a cache.

    The same on every call, whatever the seed; and the call leaves no trace in what is drawn after.
    """
    made = MADE, EPOCHS, BATCH, RATE, inspect.getsource(_small), inspect.getsource(_taught)
    path = cache_dir() / "pretrained" / f"shapes-{of_words(made)[:16]}.safetensors"
    with suppress(CheckpointError):  # not yet there, or damaged
        return load_safetensors(path)
    states, threads = random_states(), torch.get_num_threads()
    try:
        torch.set_num_threads(1)  # the same bits on any number of cores
        torch.manual_seed(0)
        content = to_safetensors(_taught())
    finally:
        torch.set_num_threads(threads)
        restore_random_states(states)
    with suppress(FathomError):  # no room to keep it: it is made again the next time
        write_whole(path, content)
    from safetensors.torch import load as loaded

    return loaded(content)


def _taught() -> nn.Module:
    lib = library("torch")
    made = shapes.made(MADE, seed=1)
    everything = PictureSet(shapes.SOURCE.name, made, made, shapes.CLASSES)
    pictures = half(everything, 0)
    model = _small(len(pictures.classes), lib.nn)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    batches = pictures.train.batches(BATCH, treatment=Treatment(random_crop(4)))
    place = torch.device("cpu")
    optimizer = torch.optim.SGD(model.parameters(), RATE, momentum=0.9, weight_decay=5e-4)
    factor = one_cycle(EPOCHS * len(batches))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    optimizer.register_step_post_hook(lambda *_: schedule.step())
    data = batches.to(place, channels_last=True)
    for _ in trained(model, data, cross_entropy, optimizer, epochs=EPOCHS, seed=0):
        pass
    return model
