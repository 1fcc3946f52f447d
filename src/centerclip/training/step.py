"""The gradient of one batch, whatever its size: in parts one after the other, and over several processes.

The loss compares all videos of a batch with all its captions, so it can't be added up over parts. But
its gradient reaches the weights through the embeddings alone: these are computed for all parts first,
the loss and its gradient by them after that, and then each part once more, now with a graph.

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
    parts: int = 1,
    words: int | None = None,
    precision: torch.dtype = torch.float32,
    processes: Processes | None = None,
) -> float:
    """Add the gradient of the whole batch's loss to the parameters, as if it had been computed at once.

    Args:
        model: in training mode, equal in all processes.
        batch: this process's share.
        seed: of what reducers and dropout draw; the same draws are made each time a part is computed.
        parts: how many parts the share is computed in; memory is that of one.
        words: longest caption, in tokens.
        precision: bfloat16 computes under autocast.
        processes: those that hold the other shares.

    Returns:
        The loss of the whole batch.
    """
    processes = processes or Processes()
    device = model.device
    kept = [part for part in np.array_split(np.arange(len(batch.captions)), parts) if len(part)]
    rows = [slice(int(part[0]), int(part[-1]) + 1) for part in kept]

    def embed(number: int) -> Tensor:  # [2, b, E]
        own = rows[number]
        torch.manual_seed(_part_seed(seed, processes.rank, number))
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == torch.bfloat16):
            frames = model.preprocess(batch.frames[own].to(device))
            video = model.encode_video(frames, batch.mask[own].to(device))
            ids = model.backbone.tokenize(batch.captions[own], max_tokens=words)
            return torch.stack((model.encode_text(ids), video))

    if len(rows) == 1:
        graphs = [embed(0)]
        own = graphs[0].detach()
    else:
        graphs = []
        with torch.no_grad():
            own = torch.cat([embed(number) for number in range(len(rows))], dim=1)
    gradient, loss = _of_embeddings(model, own, processes)
    for number, part in enumerate(rows):
        (graphs[number] if graphs else embed(number)).backward(gradient[:, part])  # type: ignore[no-untyped-call]
    processes.add_up([p.grad for p in model.parameters() if p.grad is not None])
    return loss


def _of_embeddings(model: CenterCLIP, own: Tensor, processes: Processes) -> tuple[Tensor, float]:
    """The gradient [2, b, E] by this process's embeddings, and the loss; adds that by the logit scale."""
    everyone = processes.gather(own.transpose(0, 1)).requires_grad_()  # [B, 2, E]
    loss = contrastive_loss(everyone[:, 0], everyone[:, 1], model.logit_scale.exp())
    loss.backward()  # type: ignore[no-untyped-call]
    scale, gradient = model.logit_scale.grad, everyone.grad
    assert gradient is not None
    if scale is not None:
        scale /= processes.count  # every process has it in full, and they will be added up
    return gradient[processes.shard(len(everyone))].transpose(0, 1), float(loss.detach())


def _part_seed(seed: int, rank: int, part: int) -> int:
    # The first part of the first process draws as a run in one go does.
    return seed if rank == part == 0 else int(np.random.SeedSequence([seed, rank, part]).generate_state(1)[0])
