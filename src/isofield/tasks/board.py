"""What TensorBoard shows of a training."""

from collections.abc import Iterator
from contextlib import contextmanager

from isofield.checkpoints import list_checkpoints
from isofield.runs import EVENTS, Run


@contextmanager
def on_board(run: Run, wanted: bool) -> Iterator[None]:
    """Within it, what is logged and drawn is written to RUN/events too, if wanted; what is done again replaces there
    what a crash left."""
    if not wanted:
        yield
        return
    from torch.utils.tensorboard import SummaryWriter

    known = list_checkpoints(run.folder)
    with SummaryWriter(run.folder / EVENTS, purge_step=known[-1][0] + 1 if known else 0) as run.board:
        yield
