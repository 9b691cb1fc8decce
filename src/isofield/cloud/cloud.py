"""The noun of scans: points in the user's units, and what the scanner knew about each of them."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from isofield.frame import UnitFrame


@dataclass(frozen=True)
class Cloud:
    """Points (n, 3) in the user's coordinates and units; what is not known is None.

    normals: of unit length, or zero where a row of the file had none. colors: sRGB. sensors: the position of the sensor
    that saw each point; where a file names one position for all, that row is repeated. source: the file, or how it was
    made. dropped: how many rows of the file were left out because a coordinate was no finite number.
    """

    points: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"] | None = None
    colors: UInt8[np.ndarray, "n 3"] | None = None
    sensors: Float[np.ndarray, "n 3"] | None = None
    source: str = ""
    dropped: int = 0

    def __post_init__(self) -> None:
        for name in ("normals", "colors", "sensors"):
            value = getattr(self, name)
            if value is not None and value.shape != self.points.shape:
                raise ValueError(f"{name} has shape {value.shape}, points {self.points.shape}")

    def __len__(self) -> int:
        return len(self.points)

    def take(self, rows: Bool[np.ndarray, "n"] | Int[np.ndarray, "m"]) -> "Cloud":
        """The chosen rows, by mask or by index, with all they carry."""
        kept = {name: value[rows] for name, value in self._columns().items()}
        return replace(self, points=self.points[rows], **kept)

    def _columns(self) -> dict[str, np.ndarray]:
        columns = {"normals": self.normals, "colors": self.colors, "sensors": self.sensors}
        return {name: value for name, value in columns.items() if value is not None}


def frame_of(cloud: Cloud) -> UnitFrame:
    """The unit frame of a cleaned cloud: one outlier left in would shrink everything else."""
    return UnitFrame.of(cloud.points)
