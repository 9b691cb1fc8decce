"""The demo: bundled models through the whole path, shown on one page that needs no network."""

from isofield.demo.run import run_demo

__all__ = ["run_demo"]
