"""What some tests need and not every machine has: without it they are skipped, and say so."""

import os
import shutil
import sys
from importlib.util import find_spec

import pytest
import torch

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX")
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
viser = pytest.mark.skipif(find_spec("viser") is None, reason="needs viser")
gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
