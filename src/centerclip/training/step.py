"""Computes the gradient of a batch, in chunks if memory is short and over several processes.

The loss compares all videos of a batch with all captions, so it is not a sum over chunks. But its gradient
reaches the weights only through the embeddings. So embeddings are computed first, without a graph, then the
loss and its gradient with respect to them. Then each chunk is computed again with a graph.

Source: GradCache (arXiv 2101.06983).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from centerclip.model import CenterCLIP
from centerclip.training.batches import Batch
from centerclip.training.loss import contrastive_loss
from centerclip.training.processes import Processes

__all__ = ["add_gradients"]


def add_gradients(
    model: CenterCLIP,
    batch: Batch,
    *,
    seed: int,
    chunks: int = 1,
    max_text_tokens: int | None = None,
    precision: torch.dtype = torch.float32,
    processes: Processes | None = None,
) -> float:
    """Add the gradient of the whole batch's loss to the parameters' gradients.

    Args:
        model: in training mode, equal in all processes.
        batch: this process's shard.
        seed: of reducers and dropout; they draw the same numbers each time a chunk is computed.
        chunks: number of chunks per shard; only one chunk's graph is in memory at a time.
        max_text_tokens: maximum number of tokens per caption.
        precision: bfloat16 computes under autocast.
        processes: the processes with the other shards; None for a single process.

    Returns:
        The loss of the whole batch.
    """
    processes = processes or Processes()
    device = model.device
    parts = np.array_split(np.arange(len(batch.captions)), chunks)
    rows = [slice(int(part[0]), int(part[-1]) + 1) for part in parts if len(part)]

    def embed(number: int) -> Tensor:  # [2, b, E]
        own = rows[number]
        torch.manual_seed(_chunk_seed(seed, processes.rank, number))
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == torch.bfloat16):
            frames = model.preprocess(batch.frames[own].to(device))
            video = model.encode_video(frames, batch.mask[own].to(device))
            ids = model.backbone.tokenize(batch.captions[own], max_tokens=max_text_tokens)
            return torch.stack((model.encode_text(ids), video))

    if len(rows) == 1:
        graphs = [embed(0)]
        own = graphs[0].detach()
    else:
        graphs = []
        with torch.no_grad():
            own = torch.cat([embed(number) for number in range(len(rows))], dim=1)
    gradient, loss = _embedding_gradient(model, own, processes)
    for number, chunk in enumerate(rows):
        (graphs[number] if graphs else embed(number)).backward(gradient[:, chunk])  # type: ignore[no-untyped-call]
    processes.add_up([p.grad for p in model.parameters() if p.grad is not None])
    return loss


def _embedding_gradient(model: CenterCLIP, own: Tensor, processes: Processes) -> tuple[Tensor, float]:
    """Return the loss's gradient [2, b, E] for this process's embeddings, and the loss.

    The logit scale's gradient is added to the parameter.
    """
    everyone = processes.gather(own.transpose(0, 1)).requires_grad_()  # [B, 2, E]
    loss = contrastive_loss(everyone[:, 0], everyone[:, 1], model.logit_scale.exp())
    loss.backward()  # type: ignore[no-untyped-call]
    scale, gradient = model.logit_scale.grad, everyone.grad
    assert gradient is not None
    if scale is not None:
        scale /= processes.count  # each process has the whole gradient, and add_up sums them
    return gradient[processes.shard(len(everyone))].transpose(0, 1), float(loss.detach())


def _chunk_seed(seed: int, rank: int, chunk: int) -> int:
    # The first chunk of the first process draws the same numbers as a run without chunks.
    return (
        seed if rank == chunk == 0 else int(np.random.SeedSequence([seed, rank, chunk]).generate_state(1)[0])
    )
