"""Write a trained model as ONNX, TorchScript or safetensors, and check what was written.

A file holds the run's words, classes or columns, too, without which the numbers that go in and come
out say nothing.
"""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from fathom.core.errors import FathomError, SettingError
from fathom.core.paths import write_whole
from fathom.engine.weights import to_safetensors
from fathom.models.graphs import Function, Graph

if TYPE_CHECKING:
    from fathom.engine.prepare import Prepared

SUFFIXES = {"onnx": "onnx", "safetensors": "safetensors", "torchscript": "pt"}


class ExportError(FathomError):
    """An exported model that does not answer as the original does."""


class _Asked(nn.Module):
    """A function of a model, as a module that holds the model's weights."""

    function: Function

    def __init__(self, model: nn.Module, function: Function) -> None:
        super().__init__()
        self.model, self.function = model, function

    def forward(self, *tensors: Tensor) -> Any:
        return self.function(*tensors)


def _targets(parts: list[str], to: str, target: Path) -> list[Path]:
    """The file of each part: `target` of the only one, `NAME.PART.SUFFIX` of several."""
    if len(parts) == 1:
        return [target]
    suffix = target.suffix or f".{SUFFIXES[to]}"
    return [target.with_name(f"{target.stem}.{part}{suffix}") for part in parts]


def write(
    prepared: Prepared, to: str, target: Path, known: Mapping[str, str], *, force: bool = False
) -> list[dict[str, Any]]:
    """Write the model; of each file its place, what it takes and gives, and what was found when it
    was read back and asked.

    `known` are texts by name, to go with each file. Raises SettingError for a file that is there
    already, unless `force`.
    """
    model = prepared.experiment.model.eval()
    model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    graphs = [] if to == "safetensors" else _graphs(model, prepared)
    files = _targets([graph.part for graph in graphs] or [""], to, target)
    for file in files:
        if file.exists() and not force:
            wrong = "is there already"
            raise SettingError(str(file), wrong, "choose another --out, or say --force")
    if to == "safetensors":
        write_whole(target, to_safetensors(model, known))
        return [{"file": str(target), "weights": len(model.state_dict())}]
    write_one, ask = FORMATS[to]
    found = []
    for graph, file in zip(graphs, files, strict=True):
        module = _Asked(model, graph.function).eval()
        write_one(module, graph, file, known)
        facts = {
            "file": str(file),
            "takes": {name: _form(graph, name) for name in graph.inputs},
            "gives": list(graph.outputs),
            "largest difference": _compare(module, graph, file, ask),
        }
        found.append(facts)
    return found


@torch.no_grad()
def _graphs(model: nn.Module, prepared: Prepared) -> list[Graph]:
    parts: Any = getattr(model, "graphs", None)
    if parts is not None:
        return list(parts())
    inputs, _ = next(iter((prepared.valid or prepared.train).epoch(0, 0)))
    if not isinstance(inputs, Tensor):
        wrong = "needs a model that takes one tensor, or says by `graphs` what its parts take"
        raise SettingError("--to onnx or torchscript", wrong, "take its weights: --to safetensors")
    example = {"inputs": inputs.contiguous()[:4].clone()}
    return [Graph(model.forward, example, ["outputs"], {"inputs": {0: "batch"}})]


def _form(graph: Graph, name: str) -> str:
    """The sizes and the type of an input, as `(batch, 1, 28, 28) float32`."""
    tensor, free = graph.inputs[name], graph.free[name]
    sizes = [str(free.get(dim, size)) for dim, size in enumerate(tensor.shape)]
    return f"({', '.join(sizes)}) {str(tensor.dtype).removeprefix('torch.')}"


def _write_onnx(module: nn.Module, graph: Graph, target: Path, known: Mapping[str, str]) -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        wrong = f"needs the package {error.name}"
        raise SettingError("--to onnx", wrong, "pip install 'fathom[export]'") from None
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    # torch.export unrolls a recurrence: its graph would read as many steps as the example has.
    recurrent = any(isinstance(each, nn.RNNBase) for each in module.modules())
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        written = (_onnx_of_trace if recurrent else _onnx_of_export)(module, graph)
    for name, text in known.items():
        written.metadata_props.add(key=name, value=text)
    write_whole(target, written.SerializeToString())


def _onnx_of_export(module: nn.Module, graph: Graph) -> Any:
    """The graph by torch.export, as an ONNX model."""
    sizes = {size for free in graph.free.values() for size in free.values()}
    dims = {size: torch.export.Dim(size) for size in sizes}
    free = [{dim: dims[size] for dim, size in graph.free[name].items()} for name in graph.inputs]
    program = torch.onnx.export(
        module,
        tuple(graph.inputs.values()),
        dynamo=True,
        input_names=list(graph.inputs),
        output_names=list(graph.outputs),
        dynamic_shapes={"tensors": tuple(free)},
        verbose=False,
    )
    assert program is not None
    return program.model_proto


def _onnx_of_trace(module: nn.Module, graph: Graph) -> Any:
    """The graph by the older exporter, which writes recurrent layers as ONNX's own."""
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        torch.onnx.export(
            module,
            tuple(graph.inputs.values()),
            f"{folder}/graph.onnx",
            dynamo=False,
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
            dynamic_axes={name: dict(free) for name, free in graph.free.items()},
        )
        return onnx.load(f"{folder}/graph.onnx")


def _ask_onnx(path: Path, inputs: Mapping[str, Tensor]) -> list[Tensor]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found = session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})
    return [torch.from_numpy(each) for each in found]


def _write_torchscript(
    module: nn.Module, graph: Graph, target: Path, known: Mapping[str, str]
) -> None:
    buffer = io.BytesIO()
    with warnings.catch_warnings():  # torch.jit is on its way out; readers of it are not
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(module, tuple(graph.inputs.values()))
        torch.jit.save(traced, buffer, _extra_files=dict(known))
    write_whole(target, buffer.getvalue())


def _ask_torchscript(path: Path, inputs: Mapping[str, Tensor]) -> list[Tensor]:
    return _as_list(torch.jit.load(path)(*inputs.values()))


FORMATS: dict[str, tuple[Any, Any]] = {
    "onnx": (_write_onnx, _ask_onnx),
    "torchscript": (_write_torchscript, _ask_torchscript),
}


def _as_list(found: Tensor | tuple[Tensor, ...]) -> list[Tensor]:
    return [found] if isinstance(found, Tensor) else list(found)


@torch.inference_mode()
def _compare(module: nn.Module, graph: Graph, target: Path, ask: Any) -> float:
    """The largest difference of answers, for inputs of two sizes.

    Raises ExportError above 1e-4, of answers larger than 1 above that part of the largest.
    """
    largest = 0.0
    for inputs in (graph.inputs, graph.smaller()):
        pairs = zip(_as_list(module(*inputs.values())), ask(target, inputs), strict=True)
        for expected, found in pairs:
            size_of_answers = max(1.0, float(expected.abs().max()))
            largest = max(largest, float((expected - found).abs().max()) / size_of_answers)
    if not largest < 1e-4:
        wrong = f"answers differ by {largest:.2g} from the model's"
        raise ExportError(str(target), wrong, "do not use the file, and please report it")
    return largest
