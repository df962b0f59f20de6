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
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from fathom.scratch.nn import init
from fathom.scratch.nn.activation import relu
from fathom.scratch.nn.activation_smooth import gelu
from fathom.scratch.nn.attention import Mask, MultiheadAttention
from fathom.scratch.nn.dropout import Dropout
from fathom.scratch.nn.linear import Linear
from fathom.scratch.nn.normalisation import LayerNorm

Activation = str | Callable[[Tensor], Tensor]
ACTIVATIONS = {"relu": relu, "gelu": gelu}


class _Block(nn.Module):
    """What both layers are made of: attentions, a small network, a norm for each and for it."""

    attentions: ClassVar[Sequence[str]]  # to the tokens, and in a decoder to the encoder's memory
    self_attn: MultiheadAttention

    def __init__(
        self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
        activation: Activation = relu, layer_norm_eps: float = 1e-5, batch_first: bool = False,
        norm_first: bool = False, bias: bool = True, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        on: dict[str, Any] = {"bias": bias, "device": device, "dtype": dtype}
        for name in self.attentions:
            attention = MultiheadAttention(d_model, nhead, dropout, batch_first=batch_first, **on)
            self.add_module(name, attention)
        self.linear1 = Linear(d_model, dim_feedforward, **on)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, **on)
        if isinstance(activation, str):
            if activation not in ACTIVATIONS:
                raise RuntimeError(f"activation should be relu/gelu, not {activation}")
            activation = ACTIVATIONS[activation]
        self.norm_first, self.activation = norm_first, activation
        parts = range(1, len(self.attentions) + 2)
        for n in parts:
            self.add_module(f"norm{n}", LayerNorm(d_model, layer_norm_eps, **on))
        for n in parts:
            self.add_module(f"dropout{n}", Dropout(dropout))

    def add(self, n: int, x: Tensor, part: Callable[[Tensor], Tensor]) -> Tensor:
        """A short cut round the part number `n`: x + part(x), normalised before or after."""
        norm, dropout = getattr(self, f"norm{n}"), getattr(self, f"dropout{n}")
        return x + dropout(part(norm(x))) if self.norm_first else norm(x + dropout(part(x)))

    def think(self, x: Tensor) -> Tensor:
        """The small network, which sees one token at a time."""
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


class TransformerEncoderLayer(_Block):
    """Each token looks at all tokens, then thinks for itself: y = x + attend(x), y + think(y).

    Each sum is normalised, or, if `norm_first`, what goes into `attend` and `think` is.
    """

    attentions = ("self_attn",)

    def forward(
        self, src: Tensor, src_mask: Mask = None, src_key_padding_mask: Mask = None,
        is_causal: bool = False,
    ) -> Tensor:  # fmt: skip
        """`src_mask` (S, S) or (N H, S, S), `src_key_padding_mask` (N, S): True hides a token."""
        masks = src_key_padding_mask, False, src_mask  # False: the weights are not wanted
        x = self.add(1, src, lambda x: self.self_attn(x, x, x, *masks)[0])
        return self.add(2, x, self.think)


class TransformerDecoderLayer(_Block):
    """Each token looks at the tokens before it, then at the memory, then thinks for itself."""

    attentions = ("self_attn", "multihead_attn")
    multihead_attn: MultiheadAttention

    def forward(
        self, tgt: Tensor, memory: Tensor, tgt_mask: Mask = None, memory_mask: Mask = None,
        tgt_key_padding_mask: Mask = None, memory_key_padding_mask: Mask = None,
        tgt_is_causal: bool = False, memory_is_causal: bool = False,
    ) -> Tensor:  # fmt: skip
        """`tgt_mask` (T, T) hides the tokens to come, `memory_mask` (T, S) parts of the memory."""
        masks = tgt_key_padding_mask, False, tgt_mask  # False: the weights are not wanted
        of_memory = memory_key_padding_mask, False, memory_mask
        x = self.add(1, tgt, lambda x: self.self_attn(x, x, x, *masks)[0])
        x = self.add(2, x, lambda x: self.multihead_attn(x, memory, memory, *of_memory)[0])
        return self.add(3, x, self.think)


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
        self, src: Tensor, mask: Mask = None, src_key_padding_mask: Mask = None,
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
        self, tgt: Tensor, memory: Tensor, tgt_mask: Mask = None, memory_mask: Mask = None,
        tgt_key_padding_mask: Mask = None, memory_key_padding_mask: Mask = None,
        tgt_is_causal: bool | None = None, memory_is_causal: bool = False,
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
        self, src: Tensor, tgt: Tensor, src_mask: Mask = None, tgt_mask: Mask = None,
        memory_mask: Mask = None, src_key_padding_mask: Mask = None,
        tgt_key_padding_mask: Mask = None, memory_key_padding_mask: Mask = None,
        src_is_causal: bool | None = None, tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:  # fmt: skip
        """Encode `src`, decode `tgt`; the result has the shape of `tgt`."""
        batch = 0 if self.batch_first else 1
        one_batch = src.dim() == 2 or src.shape[batch] == tgt.shape[batch]
        if not one_batch or not src.shape[-1] == tgt.shape[-1] == self.d_model:
            got = f"src {tuple(src.shape)} and tgt {tuple(tgt.shape)}"
            raise RuntimeError(f"Transformer: {got} must share batch and d_model, {self.d_model}")
        memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask)
        return self.decoder(
            tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
        )  # fmt: skip
