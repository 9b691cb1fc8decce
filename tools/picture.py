"""Make docs/images/demo.png, small, from the overview that `make demo` has written. Run: python tools/picture.py"""

from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
WIDTH, COLORS = 1000, 256


def main() -> None:
    with Image.open(ROOT / "demo" / "overview.png") as overview:
        small = overview.resize((WIDTH, round(overview.height * WIDTH / overview.width)), Image.Resampling.LANCZOS)
    small.quantize(COLORS, dither=Image.Dither.NONE).save(ROOT / "docs" / "images" / "demo.png", optimize=True)


if __name__ == "__main__":
    main()
