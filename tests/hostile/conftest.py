"""What the tests of whole verbs share."""

from functools import partial

import numpy as np
import pytest

from isofield import runs
from isofield.metrics import evaluate as metrics
from isofield.tasks import evaluate as evaluate_verb
from isofield.tasks import repair, results, training


@pytest.fixture
def hasty(monkeypatch):
    """Few samples: what is asked here is whether there is an answer, not how good it is."""
    few = partial(metrics.evaluate, samples=300)
    monkeypatch.setattr(runs, "environment", lambda seed: {})  # which starts other programs to ask them
    monkeypatch.setattr(training, "FEWEST", 2000)
    monkeypatch.setattr(metrics, "EMD_POINTS", 64)
    monkeypatch.setattr(metrics, "L2_SAMPLES", 200)
    monkeypatch.setattr(repair, "SAMPLES", 500)
    monkeypatch.setattr(evaluate_verb, "evaluate", few)
    monkeypatch.setattr(results, "evaluate", few)
    monkeypatch.setattr(results, "evaluate_field", partial(metrics.evaluate_field, count=300))
    monkeypatch.setattr(results, "preview", lambda *_: np.zeros((8, 8, 3), np.uint8))
