"""Many shapes: made, sampled, learned, drawn and found again."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg, subcommand

from isofield.errors import InputError
from isofield.settings.common import Output, check_at_least, check_board, check_length, check_positive


@dataclass(frozen=True)
class SynthesizeSettings:
    """Make shapes of a family: closed, coloured parts in the unit frame, y up and front +z, with their labels.

    The same seed gives the same bytes, whatever --jobs; running the same command again makes only what is missing.
    """

    family: Positional[Literal["heads", "cars", "chairs", "tables", "lamps", "sofas", "planes"]]
    """What to make."""
    output: Output
    """Folder to write: FAMILY_00000.ply and .json (parts, tree, symmetry, adjacency), manifest.json, sheet.png"""
    count: Annotated[int, arg(name="n", aliases=("-n",))] = 100
    """How many; a folder that holds fewer is added to."""
    union: bool = False
    """One closed surface for each shape in the place of its parts, through their exact distance."""
    resolution: int = 256
    """Points along the longest side of the lattice of --union."""
    jobs: int | None = None
    """Processes at a time; by default one for each core."""
    backend: str = "loky"
    """Where they run: loky, or the name of a cluster that joblib knows, such as dask or ray."""
    seed: int = 0
    """Seed of the first shape, and with their number of all others."""
    restart: bool = False
    """Make every shape anew."""
    json: bool = False
    """Print one JSON object on stdout, and nothing else there."""
    debug: bool = False
    """Show the traceback of an error."""

    def __post_init__(self) -> None:
        check_at_least(self, resolution=16, jobs=1)
        if self.count < 1:
            raise InputError("-n", f"{self.count} shapes are none", "give at least 1")


@dataclass(frozen=True)
class SampleSettings:
    """Sample the signed distance to meshes, and their normals and colours: a store that shape spaces are trained on.

    Running the same command again goes on where it stopped, and adds what meshes have come to the folder.
    """

    input: Positional[Path]
    """Mesh file, DeepSDF .npz, or a folder of them: its sub-folders are the classes."""
    output: Output
    """Store to write: manifest.json, and a .safetensors for each shape."""
    count: int = 200_000
    """Samples of each shape."""
    format: Literal["store", "deepsdf"] = "store"
    """deepsdf: an .npz for each shape instead, with pos and neg, sampled as DeepSDF does."""
    classes: Path | None = None
    """File that says the class of each shape: JSON {"name": "class"}, or lines name,class."""
    per_class: int | None = None
    """So many shapes of each class, drawn by the seed."""
    signs: Literal["auto", "winding", "none"] = "auto"
    """Sign of the distance: by the winding number, none, or by what the shape is: none of points, and of meshes that
    enclose less than half of what they show."""
    shine: float | None = None
    """Store colours as the camera of their view direction sees them under a fixed lamp, with highlights so strong: 0
    for none. By default colours are the surface's own."""
    jobs: int | None = None
    """Processes at a time; by default one for each core."""
    backend: str = "loky"
    """Where they run: loky, or the name of a cluster that joblib knows, such as dask or ray."""
    seed: int = 0
    """Seed of every random number."""
    restart: bool = False
    """Remove the samples in the output folder and begin anew."""
    json: bool = False
    """Print one JSON object on stdout, and nothing else there."""
    debug: bool = False
    """Show the traceback of an error."""

    def __post_init__(self) -> None:
        check_at_least(self, count=16, per_class=1, jobs=1)
        if self.shine is not None and not 0 <= self.shine <= 1:
            raise InputError("--shine", f"{self.shine} is no strength", "give a number from 0 to 1")
        if self.format == "deepsdf" and self.signs == "none":
            raise InputError("--signs", "DeepSDF's files are inside and outside samples", "take --format store")


@dataclass(frozen=True)
class TrainSpaceSettings:
    """Learn a family of shapes from samples of their distance: one network for all, and a code for each (DeepSDF).

    Running the same command again goes on where it stopped.
    """

    input: Positional[Path]
    """Store that `isofield sample` wrote."""
    output: Output
    """Run folder to write: report.json, samples/, config.json, env.json, log.jsonl, checkpoints."""
    budget: float | None = None
    """Seconds of training (300 if no length is given); turned into steps once, and stored."""
    steps: int | None = None
    """Training steps, exactly: same machine, seed and steps give the same bytes."""
    preset: Literal["default", "deepsdf", "seed", "sal"] = "default"
    """deepsdf: 8x512 and codes of 256, clamped L1; seed: SIREN behind Fourier features, L1 with normals; sal: where
    the store has distances without sign, and there the default. What follows changes single parts of a preset."""
    encoding: Literal["hash", "fourier", "positional", "none"] | None = None
    """How points enter the network."""
    activation: Literal["relu", "softplus", "sine", "hosc"] | None = None
    """Between the layers of the network."""
    width: int | None = None
    """Neurons per hidden layer."""
    depth: int | None = None
    """Hidden layers."""
    code: int | None = None
    """Numbers in the code of a shape."""
    normals: float | None = None
    """Weight of the loss of normals; costs as much again as the distances."""
    eikonal: float | None = None
    """Weight of the loss of slopes that are not 1; costs as much again."""
    balance: float | None = None
    """Share of a step's shapes drawn by how badly they fit, 0 to 1."""
    shapes: int | None = None
    """Shapes in each step."""
    points: int | None = None
    """Samples of each of them."""
    classes: Literal["none", "one-hot", "learned", "text"] = "none"
    """What the network is told of the class of a shape; text: its name, by the words and letters in it."""
    descriptions: Path | None = None
    """With --classes text: file that describes each class, JSON {"sofa": "couch, a long soft seat"} or lines
    sofa,text."""
    text_model: Path | None = None
    """With --classes text: folder of a sentence-transformer or CLIP that reads names and descriptions instead."""
    color: Literal["none", "plain", "directed"] = "none"
    """plain: learn colour too; directed: colour that depends on the view direction."""
    draw: int = 6
    """Shapes drawn at every checkpoint."""
    tensorboard: bool = False
    """Write what is logged and drawn for TensorBoard too, into events/ of the run."""
    processes: int = 1
    """That train together, each on its share of a step's shapes; on GPUs one for each."""
    device: Literal["cpu", "cuda"] = "cpu"
    """What computes: processors, or GPUs."""
    precision: Literal["32", "bf16"] = "32"
    """bf16: products of the networks with 8 bits of mantissa; faster on processors made for it, less exact."""
    seed: int = 0
    """Seed of every random number."""
    restart: bool = False
    """Remove the run in the output folder and begin anew."""
    json: bool = False
    """Print the report as one JSON object on stdout, and nothing else there."""
    debug: bool = False
    """Show the traceback of an error."""

    def __post_init__(self) -> None:
        check_at_least(self, steps=1, code=1, width=1, depth=1, shapes=1, points=1, draw=0, processes=1)
        check_length(self, "steps")
        check_board(self)
        if self.balance is not None and not 0 <= self.balance <= 1:
            raise InputError("--balance", f"{self.balance} is no share", "give a number from 0 to 1")
        for name, given in (("descriptions", self.descriptions), ("text-model", self.text_model)):
            if given is not None and self.classes != "text":
                raise InputError(f"--{name}", "is for --classes text", "give that too")
        for name, weight in (("normals", self.normals), ("eikonal", self.eikonal)):
            if weight is not None and not 0 <= weight < float("inf"):
                raise InputError(f"--{name}", f"{weight} is no weight", "give 0 or a positive number")


@dataclass(frozen=True)
class TrainGeoGenSettings:
    """Learn to make shapes from a set of posed pictures: a generator of fields and a critic of its pictures (GeoGen).

    Running the same command again goes on where it stopped.
    """

    input: Positional[Path]
    """Folder or .zip of pictures with their cameras, as `isofield render` writes them."""
    output: Output
    """Run folder to write: samples/, report.json, config.json, env.json, log.jsonl, checkpoints."""
    preset: Literal["toy", "small", "paper"] = "toy"
    """toy: 32 pixels, for two processor cores; small: 64, for one GPU; paper: 512, as published, for many."""
    variant: Literal["geogen", "sdf", "density", "eg3d", "stylesdf"] = "geogen"
    """sdf: without the loss of depth; density: a density instead of a signed distance; eg3d: without the positional
    code, too; stylesdf: its density and losses."""
    start: Path | None = None
    """Generator to begin with, of the same preset, variant and size: a run, or `heads` or `cars`; its critic too, and
    where the pictures are the same the latents of their shapes."""
    kimg: float | None = None
    """Thousands of pictures to learn from, exactly: same machine, seed and kimg give the same bytes."""
    budget: float | None = None
    """Seconds of training (1800 if no length is given); turned into steps once, and stored."""
    size: int | None = None
    """Pixels a side of the pictures to make: a power of two, by default the preset's, or what the set has."""
    conditioned: bool = False
    """Tell the generator the camera of the picture it makes, or another's: for sets whose poses tell of the shape."""
    batch: int | None = None
    """Pictures in each step."""
    shares: int | None = None
    """Parts that a step's pictures are cut into (one for each process): done one after another in less memory."""
    r1: float | None = None
    """Weight of the critic's gradient penalty; by default from size and batch."""
    settle: float | None = None
    """Kimg after which the sharpness of surfaces is learned and the loss of depth begins."""
    likeness: float | None = None
    """Weight of likeness (10 has been tried): each folder of pictures shows one shape, which gets a latent of its own
    and must look like its pictures, pixel by pixel; the critic is then asked in one step of eight."""
    tensorboard: bool = False
    """Write what is logged and drawn for TensorBoard too, into events/ of the run."""
    processes: int = 1
    """That train together, each on its shares of a step's pictures; on GPUs one for each."""
    device: Literal["cpu", "cuda"] = "cpu"
    """What computes: processors, or GPUs."""
    precision: Literal["32", "bf16"] = "32"
    """bf16: products of planes' and critic's networks with 8 bits of mantissa; faster on GPUs, less exact."""
    seed: int = 0
    """Seed of every random number."""
    restart: bool = False
    """Remove the run in the output folder and begin anew."""
    json: bool = False
    """Print the report as one JSON object on stdout, and nothing else there."""
    debug: bool = False
    """Show the traceback of an error."""

    def __post_init__(self) -> None:
        check_at_least(self, size=8, batch=2, shares=1, settle=0, likeness=0, processes=1)
        check_positive(self, "kimg", "r1")
        check_length(self, "kimg")
        check_board(self)


@dataclass(frozen=True)
class TrainSettings:
    """Learn from many shapes: a space of them, or a generator."""

    what: (
        Annotated[TrainSpaceSettings, subcommand("auto-decoder")] | Annotated[TrainGeoGenSettings, subcommand("geogen")]
    )


@dataclass(frozen=True)
class GenerateSettings:
    """Draw new shapes from what a run has learned; or go from one of its shapes to another, or add them up.

    A folder that this verb wrote before is replaced.
    """

    input: Positional[Path]
    """Run folder of a shape space or of a generator, one of its checkpoints, an experiment of DeepSDF, or the name of a
    bundled generator: heads, cars."""
    output: Output
    """Folder to write: 00000.ply .glb .png ..., sheet.png, report.json; of a generator that was trained from pictures
    also its own: 00000.picture.png and .depth.npy ..., turntable.gif"""
    count: Annotated[int | None, arg(name="n", aliases=("-n",))] = None
    """How many new shapes (8)."""
    truncation: float = 0.7
    """How far from what is usual they go: 0 is the most usual shape, 1 as codes are spread."""
    whole: float = 0.9
    """Share of its surface that the largest piece of a shape must have: up to five are drawn until one has, else the
    one that comes nearest is taken; 0 takes the first."""
    class_name: Annotated[str | None, arg(name="class")] = None
    """Draw shapes of this class only."""
    prior: Literal["mixture", "gaussian"] = "mixture"
    """What is taken for the distribution of codes, in each class: several normal distributions, or one."""
    interpolate: tuple[str, ...] = ()
    """A B [STEPS]: no new shapes but so many (8) from trained shape A to B, in strip.png and video.gif; of a generator
    that was trained from pictures, from that of seed A to that of seed B."""
    arithmetic: tuple[str, str, str] | None = None
    """A B C: the shape with the code a - b + c of trained shapes, in strip.png."""
    resolution: int = 256
    """Lattice points along the longest side."""
    seed: int = 0
    """Seed of every random number."""
    json: bool = False
    """Print the report as one JSON object on stdout, and nothing else there."""
    debug: bool = False
    """Show the traceback of an error."""

    def __post_init__(self) -> None:
        check_at_least(self, resolution=2)
        if self.count is not None and self.count < 1:
            raise InputError("-n", f"{self.count} shapes are none", "give at least 1")
        if not 0 <= self.truncation < float("inf"):
            raise InputError("--truncation", f"{self.truncation} is no factor", "give 1, or less for usual shapes")
        if not 0 <= self.whole <= 1:
            raise InputError("--whole", f"{self.whole} is no share", "give a number from 0 to 1")
        asked = [("-n", self.count), ("--interpolate", self.interpolate), ("--arithmetic", self.arithmetic)]
        if len(given := [flag for flag, value in asked if value]) > 1:
            raise InputError(", ".join(given), "each says what to make", "choose one")
        steps = self.interpolate[2:]
        if self.interpolate and (len(self.interpolate) < 2 or len(steps) > 1 or not all(map(_is_step_count, steps))):
            fault = f"{' '.join(self.interpolate)!r} are not two shapes and perhaps a number from 2 to 1000"
            raise InputError("--interpolate", fault, "give A B, or A B STEPS")


@dataclass(frozen=True)
class ReconstructSettings:
    """Find the shape of a trained space that explains a scan, whole or partial, best.

    What was seen is told from what was invented, and how sure the result is.
    """

    input: Positional[Path]
    """Mesh; samples (.safetensors of a store, DeepSDF's .npz); points: .ply .xyz .txt .pcd .npz .obj .las; depth
    picture NAME.depth.npy, distances along the rays."""
    prior: Path
    """Run of `isofield train auto-decoder`, or one of its checkpoints."""
    output: Output
    """Run folder to write: meshes, report.json, code.safetensors, preview.png, a checkpoint."""
    camera: Path | None = None
    """Of a depth picture: a dataset.json that names it, or a JSON file of 25 numbers as there, in the frame of the
    space. By default the dataset.json beside or above it."""
    align: bool = False
    """Estimate rotation, translation and scale too; without it points are taken to lie in the frame of the space."""
    class_name: Annotated[str, arg(name="class")] = "auto"
    """Class of the shape; auto: the one that fits best."""
    method: Literal["gauss-newton", "adam"] = "gauss-newton"
    """adam: DeepSDF's 800 iterations, to compare with."""
    starts: int | None = None
    """Codes that the search starts from (8): means of the classes and trained shapes near the scan. With --align, a
    third of the rotations that it starts from."""
    refine: int = 0
    """Passes of refinement on other points, half of them those that fit worst."""
    thin: float | None = None
    """Weight of a loss for samples near the surface on its wrong side, which keeps thin parts (5)."""
    finetune: int = 0
    """Steps of tuning the network to this shape afterwards, for what no code expresses."""
    resolution: int = 256
    """Points along the longest side of the lattice that the mesh is extracted on."""
    seed: int = 0
    """Seed of every random number."""
    restart: bool = False
    """Remove the run in the output folder and begin anew."""
    json: bool = False
    """Print the report as one JSON object on stdout, and nothing else there."""
    debug: bool = False
    """Show the traceback of an error."""

    def __post_init__(self) -> None:
        check_at_least(self, resolution=2, starts=1, refine=0, finetune=0)
        if self.thin is not None and not 0 <= self.thin < float("inf"):
            raise InputError("--thin", f"{self.thin} is no weight", "give 0 or a positive number")
        if self.method == "adam" and (self.align or self.starts or self.refine or self.thin is not None):
            raise InputError("--method", "adam knows no --align, --starts, --refine or --thin", "leave them out")


@dataclass(frozen=True)
class InvertSettings:
    """Find the shape of a trained generator that looks like some pictures of one object: first its latent, then the
    generator is tuned around it (pivotal tuning).

    Nothing finds or aligns faces in arbitrary photographs: a picture must show the object as the pictures did that the
    generator learned from, as large and upright. Running the same command again goes on where it stopped.
    """

    input: Positional[tuple[Path, ...]]
    """Square pictures of one object; where a background is transparent, masked by NAME.mask.png or even, it becomes the
    generator's."""
    prior: Path
    """Run of `isofield train geogen`, one of its checkpoints, or the name of a bundled generator: heads, cars."""
    output: Output
    """Run folder to write: meshes, report.json, preview.png, views.png, turntable.gif, code.safetensors, a checkpoint
    of the tuned generator."""
    camera: str | None = None
    """Where the pictures were taken from: a dataset.json that names them, or a JSON file of 25 numbers as there, for
    several pictures a list of such; auto: to be found. By default the dataset.json beside or above a picture, else
    auto."""
    steps: int = 500
    """Steps for the latent."""
    tune: int = 500
    """Steps for the generator; 0 leaves it alone."""
    perceptual: Path | None = None
    """TorchScript file that tells how unlike pictures are, such as LPIPS: two batches (b, 3, s, s) from -1 to 1 -> b
    distances. By default Laplacian pyramids are compared, which needs no weights."""
    resolution: int = 256
    """Points along the longest side of the lattice that the mesh is extracted on."""
    device: Literal["cpu", "cuda"] = "cpu"
    """What computes: processors, or a GPU."""
    seed: int = 0
    """Seed of every random number."""
    restart: bool = False
    """Remove the run in the output folder and begin anew."""
    json: bool = False
    """Print the report as one JSON object on stdout, and nothing else there."""
    debug: bool = False
    """Show the traceback of an error."""

    def __post_init__(self) -> None:
        check_at_least(self, resolution=2, steps=1, tune=0)
        if not self.input:
            raise InputError("PICTURE", "is missing", "name at least one picture")


def _is_step_count(text: str) -> bool:
    return text.isdecimal() and 2 <= int(text) <= 1000
