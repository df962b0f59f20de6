"""The Transformer: attention and a small network on each token, in turn, with short cuts.

Source   Vaswani et al. 2017, arXiv:1706.03762; norm first Xiong et al. 2020, arXiv:2002.04745;
         book 11.7.
Differs  The hints `is_causal` choose a kernel in torch; here the masks alone count. For inference
         torch may pack the batch and leave zeros at padded places; we compute them as any other.
Shapes   N batch, S source tokens, T target tokens, E features; inputs (S, N, E) and (T, N, E), or
         (N, S, E) and (N, T, E) if `batch_first`, or without N.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from fathom.scratch.nn import init
from fathom.scratch.nn.activation import relu
from fathom.scratch.nn.activation_smooth import gelu
from fathom.scratch.nn.attention import MultiheadAttention
from fathom.scratch.nn.dropout import Dropout
from fathom.scratch.nn.linear import Linear
from fathom.scratch.nn.normalisation import LayerNorm

Activation = str | Callable[[Tensor], Tensor]


def _activation(activation: Activation) -> Callable[[Tensor], Tensor]:
    if not isinstance(activation, str):
        return activation
    if activation not in ("relu", "gelu"):
        raise RuntimeError(f"activation should be relu/gelu, not {activation}")
    return relu if activation == "relu" else gelu


class _Block(nn.Module):
    """What both layers are made of: attentions, a small network, a norm for each and for it."""

    remembers: ClassVar[bool]  # is there a second attention, to the encoder's memory?

    def __init__(
        self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
        activation: Activation = relu, layer_norm_eps: float = 1e-5, batch_first: bool = False,
        norm_first: bool = False, bias: bool = True, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        on: dict[str, Any] = {"bias": bias, "device": device, "dtype": dtype}

        def attention() -> MultiheadAttention:
            return MultiheadAttention(d_model, nhead, dropout, batch_first=batch_first, **on)

        self.self_attn = attention()
        if self.remembers:
            self.multihead_attn = attention()
        self.linear1 = Linear(d_model, dim_feedforward, **on)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, **on)
        self.norm_first, self.activation = norm_first, _activation(activation)
        self.norm1, self.norm2 = (LayerNorm(d_model, layer_norm_eps, **on) for _ in range(2))
        if self.remembers:
            self.norm3 = LayerNorm(d_model, layer_norm_eps, **on)
        self.dropout1, self.dropout2 = Dropout(dropout), Dropout(dropout)
        if self.remembers:
            self.dropout3 = Dropout(dropout)

    def add(self, x: Tensor, norm: LayerNorm, part: Callable[[Tensor], Tensor]) -> Tensor:
        """A short cut round a part: x + part(x), normalised before or after."""
        return x + part(norm(x)) if self.norm_first else norm(x + part(x))

    def think(self, x: Tensor) -> Tensor:
        """The small network, which sees one token at a time."""
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


class TransformerEncoderLayer(_Block):
    """Each token looks at all tokens, then thinks for itself: y = x + attend(x), y + think(y).

    Each sum is normalised, or, if `norm_first`, what goes into `attend` and `think` is.
    """

    remembers = False

    def forward(
        self, src: Tensor, src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None, is_causal: bool = False,
    ) -> Tensor:  # fmt: skip
        """`src_mask` (S, S) or (N H, S, S), `src_key_padding_mask` (N, S): True hides a token."""

        def attend(x: Tensor) -> Tensor:
            return self.dropout1(self.self_attn(x, x, x, src_key_padding_mask, False, src_mask)[0])

        x = self.add(src, self.norm1, attend)
        return self.add(x, self.norm2, lambda x: self.dropout2(self.think(x)))


class TransformerDecoderLayer(_Block):
    """Each token looks at the tokens before it, then at the memory, then thinks for itself."""

    remembers = True

    def forward(
        self, tgt: Tensor, memory: Tensor, tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None, tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None, tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:  # fmt: skip
        """`tgt_mask` (T, T) hides the tokens to come, `memory_mask` (T, S) parts of the memory."""

        def attend(x: Tensor) -> Tensor:
            return self.dropout1(self.self_attn(x, x, x, tgt_key_padding_mask, False, tgt_mask)[0])

        def remember(x: Tensor) -> Tensor:
            masks = memory_key_padding_mask, False, memory_mask
            return self.dropout2(self.multihead_attn(x, memory, memory, *masks)[0])

        x = self.add(tgt, self.norm1, attend)
        x = self.add(x, self.norm2, remember)
        return self.add(x, self.norm3, lambda x: self.dropout3(self.think(x)))


class TransformerEncoder(nn.Module):
    """`num_layers` copies of a layer, one after another."""

    def __init__(
        self, encoder_layer: nn.Module, num_layers: int, norm: nn.Module | None = None,
        enable_nested_tensor: bool = True, mask_check: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.layers = nn.ModuleList(copy.deepcopy(encoder_layer) for _ in range(num_layers))
        self.num_layers, self.norm = num_layers, norm
        self.enable_nested_tensor, self.mask_check = enable_nested_tensor, mask_check

    def forward(
        self, src: Tensor, mask: Tensor | None = None, src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:  # fmt: skip
        for layer in self.layers:
            src = layer(src, src_mask=mask, src_key_padding_mask=src_key_padding_mask)
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(nn.Module):
    """`num_layers` copies of a layer, one after another, all looking at the same memory."""

    def __init__(
        self, decoder_layer: nn.Module, num_layers: int, norm: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(copy.deepcopy(decoder_layer) for _ in range(num_layers))
        self.num_layers, self.norm = num_layers, norm

    def forward(
        self, tgt: Tensor, memory: Tensor, tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None, tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None, tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:  # fmt: skip
        masks = tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask
        for layer in self.layers:
            tgt = layer(tgt, memory, *masks)
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(nn.Module):
    """An encoder for the source and a decoder for the target, without embeddings and output layer.

    `custom_encoder` and `custom_decoder` take their places.
    """

    def __init__(
        self, d_model: int = 512, nhead: int = 8, num_encoder_layers: int = 6,
        num_decoder_layers: int = 6, dim_feedforward: int = 2048, dropout: float = 0.1,
        activation: Activation = relu, custom_encoder: Any = None, custom_decoder: Any = None,
        layer_norm_eps: float = 1e-5, batch_first: bool = False, norm_first: bool = False,
        bias: bool = True, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        of: tuple[Any, ...] = (d_model, nhead, dim_feedforward, dropout, activation)
        of += (layer_norm_eps, batch_first, norm_first, bias, device, dtype)

        def norm() -> LayerNorm:
            return LayerNorm(d_model, layer_norm_eps, bias=bias, device=device, dtype=dtype)

        self.encoder = custom_encoder or TransformerEncoder(
            TransformerEncoderLayer(*of), num_encoder_layers, norm()
        )
        self.decoder = custom_decoder or TransformerDecoder(
            TransformerDecoderLayer(*of), num_decoder_layers, norm()
        )
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Xavier's uniform distribution for every matrix."""
        for parameter in self.parameters():
            if parameter.dim() > 1:
                init.xavier_uniform_(parameter)

    @staticmethod
    def generate_square_subsequent_mask(
        sz: int, device: torch.device | None = None, dtype: torch.dtype | None = None
    ) -> Tensor:
        """(sz, sz): minus infinity above the diagonal, which hides the tokens to come, else 0."""
        return torch.full((sz, sz), float("-inf"), device=device, dtype=dtype).triu_(1)

    def forward(
        self, src: Tensor, tgt: Tensor, src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None, memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None, tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None, src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None, memory_is_causal: bool = False,
    ) -> Tensor:  # fmt: skip
        """Encode `src`, decode `tgt`; the result has the shape of `tgt`."""
        batch = 0 if self.batch_first else 1
        if src.dim() == 3 and src.shape[batch] != tgt.shape[batch]:
            raise RuntimeError(
                "the batch number of src and tgt must be equal, got shapes "
                f"{tuple(src.shape)} and {tuple(tgt.shape)}"
            )
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            raise RuntimeError(
                f"the feature number of src and tgt must be equal to d_model, {self.d_model}, got "
                f"shapes {tuple(src.shape)} and {tuple(tgt.shape)}"
            )
        memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask)
        return self.decoder(
            tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
        )  # fmt: skip
