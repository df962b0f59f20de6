"""Write a trained model as ONNX, TorchScript or safetensors, and check what was written."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from fathom.core.errors import FathomError, SettingError
from fathom.core.paths import write_whole
from fathom.engine.weights import to_safetensors

if TYPE_CHECKING:
    from fathom.engine.prepare import Prepared


class ExportError(FathomError):
    """An exported model that does not answer as the original does."""


def write(prepared: Prepared, to: str, target: Path) -> dict[str, Any]:
    """Write the model to `target`; what was found when the file was read back and asked."""
    model = prepared.experiment.model.eval()
    model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    if to == "safetensors":
        write_whole(target, to_safetensors(model))
        return {"weights": len(model.state_dict())}
    inputs, _ = next(iter((prepared.valid or prepared.train).epoch(0, 0)))
    if not isinstance(inputs, Tensor):
        wrong = "does not apply to a model that takes more than one tensor"
        raise SettingError(f"--to {to}", wrong, "take its weights: --to safetensors")
    inputs = inputs.contiguous()[:4].clone()
    if to == "onnx":
        _write_onnx(model, inputs, target)
        asked = _ask_onnx
    else:
        buffer = io.BytesIO()
        with warnings.catch_warnings():  # torch.jit is on its way out; readers of it are not
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.jit.save(torch.jit.trace(model, inputs), buffer)
        write_whole(target, buffer.getvalue())
        asked = _ask_torchscript
    return {"largest difference": _compare(model, inputs, target, asked)}


def _write_onnx(model: nn.Module, inputs: Tensor, target: Path) -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        wrong = f"needs the package {error.name}"
        raise SettingError("--to onnx", wrong, "pip install 'fathom[export]'") from None
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model,
            (inputs,),
            dynamo=True,
            input_names=["inputs"],
            output_names=["outputs"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
    assert program is not None
    write_whole(target, program.model_proto.SerializeToString())


def _ask_onnx(path: Path, inputs: Tensor) -> Tensor:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {session.get_inputs()[0].name: inputs.numpy()})[0])


def _ask_torchscript(path: Path, inputs: Tensor) -> Tensor:
    found: Tensor = torch.jit.load(path)(inputs)
    return found


def _compare(model: nn.Module, inputs: Tensor, target: Path, ask: Any) -> float:
    """The largest difference of answers, for two sizes of batch.

    Raises ExportError above 1e-4, of answers larger than 1 above that part of the largest.
    """
    largest = 0.0
    for size in (len(inputs), 1):
        with torch.inference_mode():
            expected = model(inputs[:size])
            found = ask(target, inputs[:size])
        size_of_answers = max(1.0, float(expected.abs().max()))
        largest = max(largest, float((expected - found).abs().max()) / size_of_answers)
    if not largest < 1e-4:
        wrong = f"answers differ by {largest:.2g} from the model's"
        raise ExportError(str(target), wrong, "do not use the file, and please report it")
    return largest
