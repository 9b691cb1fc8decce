"""`isofield convert`: pictures with cameras from one layout to another, mirrored, balanced or cropped on the way."""

from typing import Any

from isofield.files import real_path
from isofield.settings.pictures import ConvertSettings
from isofield.views.change import balanced, cropped, joined, mirrored, y_up
from isofield.views.image_set import ImageSet
from isofield.views.read import read_views
from isofield.views.write import check_vacant, write_views


def run_convert(settings: ConvertSettings) -> dict[str, Any]:
    """Read, change, write; returns the verb's JSON. Raises InputError as those three do."""
    check_vacant(real_path(settings.output))
    views = read_views(settings.input)
    read = len(views)
    changed = _changed(views, settings)
    write_views(changed, settings.output, settings.format, truth=not settings.color_only)
    return {
        "output": str(settings.output),
        "from": views.kind,
        "to": settings.format,
        "read": read,
        "written": len(changed),
    }


def _changed(views: ImageSet, settings: ConvertSettings) -> ImageSet:
    if settings.up == "z":
        views = y_up(views)
    if settings.crop is not None:
        views = cropped(views, settings.crop)
    if settings.mirror:
        views = joined(views, mirrored(views))
    return balanced(views) if settings.balance else views
