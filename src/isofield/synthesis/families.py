"""All families, by the names that the command takes."""

from isofield.synthesis.cars import car
from isofield.synthesis.chairs import chair
from isofield.synthesis.heads.head import head
from isofield.synthesis.lamps import lamp
from isofield.synthesis.parts import Builder
from isofield.synthesis.planes import plane
from isofield.synthesis.sofas import sofa
from isofield.synthesis.tables import table

FAMILIES: dict[str, Builder] = {
    "heads": head,
    "cars": car,
    "chairs": chair,
    "tables": table,
    "lamps": lamp,
    "sofas": sofa,
    "planes": plane,
}
VERSION = 4  # of what a seed means: grows with every change of a shape
