"""Fields in files: a description that is JSON and named tensors, never a pickle."""

import math
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from isofield.errors import InputError
from isofield.frame import UnitFrame


@runtime_checkable
class Saveable(Protocol):
    """A field, or a space of many, that can be saved: `spec()` is JSON with a "type", the class's name; `restore` is
    its inverse."""

    def spec(self) -> dict[str, Any]: ...

    def tensors(self) -> dict[str, Tensor]: ...

    @classmethod
    def restore(cls, spec: dict[str, Any], tensors: dict[str, Tensor]) -> "Saveable": ...


def _exact() -> type[Saveable]:
    from isofield.fields.exact import ExactField

    return ExactField


def _grid() -> type[Saveable]:
    from isofield.fields.grid import SparseGrid

    return SparseGrid


def _neural() -> type[Saveable]:
    from isofield.fields.neural import NeuralField

    return NeuralField


def _poisson() -> type[Saveable]:
    from isofield.fields.classical.poisson import PoissonField

    return PoissonField


def _mls() -> type[Saveable]:
    from isofield.fields.classical.mls import MlsField

    return MlsField


def _rbf() -> type[Saveable]:
    from isofield.fields.classical.rbf import RbfField

    return RbfField


def _winding() -> type[Saveable]:
    from isofield.fields.classical.winding import WindingField

    return WindingField


def _rendered() -> type[Saveable]:
    from isofield.fields.rendered import RenderedField

    return RenderedField


def _triplane() -> type[Saveable]:
    from isofield.fields.triplane import TriplaneField

    return TriplaneField


def _shape() -> type[Saveable]:
    from isofield.fields.space import ShapeField

    return ShapeField


def _space() -> type[Saveable]:
    from isofield.fields.space import ShapeSpace

    return ShapeSpace


def _turned() -> type[Saveable]:
    from isofield.fields.turned import TurnedField

    return TurnedField


CLASSES: dict[str, Callable[[], type[Saveable]]] = {
    "ExactField": _exact,
    "SparseGrid": _grid,
    "NeuralField": _neural,
    "PoissonField": _poisson,
    "MlsField": _mls,
    "RbfField": _rbf,
    "WindingField": _winding,
    "TriplaneField": _triplane,
    "RenderedField": _rendered,
    "ShapeField": _shape,
    "TurnedField": _turned,
    "ShapeSpace": _space,
}


def restore(
    spec: dict[str, Any],
    tensors: dict[str, Tensor],
    where: str = "field",
    classes: dict[str, Callable[[], type[Saveable]]] = CLASSES,
) -> Saveable:
    """What `spec` and `tensors` describe; raises InputError about `where` for a type that is not in `classes`."""
    name = spec.get("type")
    if not isinstance(name, str) or name not in classes:
        remedy = "use the version of isofield that wrote it" if name else "fit it again"
        raise InputError(where, f"holds a field of unknown type {name!r} (known: {', '.join(classes)})", remedy)
    _check_numbers(spec, tensors, where)
    try:
        return classes[name]().restore(spec, tensors)
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, RuntimeError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:160]
        raise InputError(
            where, f"holds no whole {name} ({reason})", "use another checkpoint, or fit it again"
        ) from error


def _check_numbers(spec: dict[str, Any], tensors: dict[str, Tensor], where: str) -> None:
    """A frame that places a shape somewhere, and no NaN in a tensor: neither would be noticed later on."""
    remedy = "use another checkpoint, or fit it again"
    try:
        frame = UnitFrame.from_json(spec["frame"])
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(where, f"holds no frame ({error!r})", remedy) from None
    if not all(map(math.isfinite, (*frame.center, frame.scale))) or frame.scale <= 0:
        raise InputError(where, f"its frame has centre {frame.center} and scale {frame.scale}", remedy)
    for name, tensor in tensors.items():
        bad = int((~tensor.isfinite()).sum()) if tensor.is_floating_point() else 0
        if bad:
            raise InputError(where, f"{bad} numbers of its tensor {name!r} are not finite", remedy)
