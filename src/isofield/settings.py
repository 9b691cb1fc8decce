"""What each verb can be told: one frozen dataclass per verb; the text under a field is its help on the command line."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import Positional, arg

from isofield.errors import InputError

Output = Annotated[Path, arg(aliases=("-o",))]
Unit = Literal["mm", "cm", "m", "in"]
Axis = Literal["x", "y", "z"]
Colors = Literal["own", "plain", "error", "seen"]
METERS: dict[Unit, float] = {"mm": 0.001, "cm": 0.01, "m": 1.0, "in": 0.0254}
MOST = {
    "resolution": 8192,
    "size": 8192,
    "crop": 8192,
    "samples": 9,
    "width": 1 << 14,
    "depth": 256,
}  # what is beyond fills any memory
BUDGET = 30.0  # seconds of a fit that is told no length


@dataclass(frozen=True)
class InspectSettings:
    """Say what is in a file of a mesh or of points: pieces, faults, noise, extent, colours, and what `fit` will do.

    Of a set of posed pictures: sizes, poses, and which pictures or cameras are wrong.
    """

    input: Positional[Path]
    """Mesh: .ply .obj .glb .gltf .stl .off .dae; points: .ply .xyz .txt .pcd .npz .obj .las; pictures: folder .zip"""
    output: Annotated[Path | None, arg(aliases=("-o",))] = None
    """Of pictures: draw cameras, and a cube of the world as they see it, into this .png."""
    json: bool = False
    """Print one JSON object on stdout, and nothing else there."""
    seed: int = 0
    """Seed of every random number."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class FitSettings:
    """Turn a mesh, a cloud of points or pictures with cameras into a field, and the field into a mesh with a report.

    Running the same command again goes on where it stopped.
    """

    input: Positional[Path]
    """Mesh file: .ply .obj .glb .gltf .stl .off .dae; or points: .ply .xyz .txt .pcd .npz .obj .las; or pictures of one
    object: a folder or zip with dataset.json (EG3D), transforms.json (NeRF) or a COLMAP text model"""
    output: Output
    """Run folder to write: meshes, report.json, preview.png, config.json, env.json, log.jsonl, checkpoints."""
    budget: float | None = None
    """Seconds of sampling and training (30 if no length is given); turned into steps once, and stored."""
    steps: int | None = None
    """Training steps, exactly: same machine, seed and steps give the same bytes."""
    resolution: int = 256
    """Points along the longest side of the lattice that the mesh is extracted on."""
    method: Literal["learned", "sal", "grid", "exact", "poisson", "mls", "rbf", "ball-pivoting"] = "learned"
    """learned: a small network; sal: one that needs no normals and no agreement of faces (sign-agnostic learning);
    grid: a sparse grid of distances; exact: the mesh, or one through the points, its distance computed; of points
    only, poisson: screened Poisson; mls: moving least squares; rbf: radial basis functions; ball-pivoting: triangles
    between the points, no field."""
    close: bool = False
    """Of points: keep the surface invented where there are none, however much it is."""
    encoding: Literal["hash", "fourier", "positional", "none"] = "hash"
    """How points enter the network: hash grid, random Fourier features, NeRF's positional code, as they are."""
    activation: Literal["relu", "softplus", "sine", "hosc"] = "relu"
    """Between the layers of the network; sine: SIREN."""
    width: int | None = None
    """Neurons per hidden layer; 32 behind a hash grid, else 128."""
    depth: int | None = None
    """Hidden layers; 2 behind a hash grid, else 4."""
    class_name: Annotated[str | None, arg(name="class")] = None
    """Label to store with the run, such as "car"."""
    seed: int = 0
    """Seed of every random number."""
    restart: bool = False
    """Remove the run in the output folder and begin anew."""
    json: bool = False
    """Print the report as one JSON object on stdout, and nothing else there."""
    debug: bool = False
    """Show the traceback of an error."""

    def __post_init__(self) -> None:
        _check_at_least(self, resolution=2, steps=1, width=1, depth=0)
        if self.budget is not None and not 0 < self.budget < float("inf"):
            raise InputError("--budget", f"{self.budget} seconds are no length", "give a positive number of seconds")
        if self.budget is not None and self.steps is not None:
            raise InputError("--budget, --steps", "both give the length", "choose one")


@dataclass(frozen=True)
class MeshSettings:
    """Extract a closed mesh from a run, in the frame and the units of the mesh it was fitted to."""

    input: Positional[Path]
    """Run folder, or one of its checkpoints."""
    output: Output
    """Mesh file to write: .ply .glb .obj .stl"""
    resolution: int = 256
    """Lattice points along the longest side."""
    shape: str | None = None
    """Name of a shape, where the run is a space of many."""
    latent_seed: int | None = None
    """Draw a new shape by this seed, where the run is a generator or a space of many: of a space, what `generate` draws
    first; of a generator, without it the mean shape is extracted."""
    truncation: float = 0.7
    """How far from the mean latents go: less is more usual, 1 as drawn."""
    up: Literal["y", "z"] | None = None
    """Turn the mesh so that this axis points up, given that the other of the two did; left alone by default."""
    from_units: Unit | None = None
    """The units that the fitted mesh was in; files seldom say, so say it together with --units."""
    units: Unit | None = None
    """Convert the coordinates to these units; needs --from-units."""
    faces: int | None = None
    """Reduce the mesh to about so many faces."""
    seed: int = 0
    """Seed of every random number."""
    json: bool = False
    """Print one JSON object on stdout, and nothing else there."""
    debug: bool = False
    """Show the traceback of an error."""

    def __post_init__(self) -> None:
        _check_at_least(self, resolution=2, faces=4)
        if self.latent_seed is not None and self.latent_seed < 0:
            raise InputError("--latent-seed", f"{self.latent_seed} is too small", "give at least 0")
        if self.latent_seed is not None and self.shape is not None:
            raise InputError("--shape, --latent-seed", "both say which shape", "choose one")
        if (self.units is None) != (self.from_units is None):
            given, missing = ("--units", "--from-units") if self.units else ("--from-units", "--units")
            raise InputError(given, "is half of a conversion", f"give {missing} too: files seldom say their units")


@dataclass(frozen=True)
class RepairSettings:
    """Make a closed, manifold, oriented mesh of any triangles, and say what was repaired and what was guessed.

    Holes are spanned, walls inside the solid vanish, cavities stay, overlapping parts become one. Colours, place and
    units are kept, edges and corners put back. What has no inside, such as a single sheet, is refused.
    """

    input: Positional[Path]
    """Mesh file: .ply .obj .glb .gltf .stl .off .dae"""
    output: Output
    """Mesh file to write: .ply .glb .obj .stl"""
    resolution: int = 256
    """Lattice points along the longest side of the mesh: parts thinner than a cell are lost."""
    thickness: float | None = None
    """Build a closed wall so thick, in the file's units, around all triangles: for sheets that have no inside."""
    seed: int = 0
    """Seed of every random number."""
    json: bool = False
    """Print one JSON object on stdout, and nothing else there."""
    debug: bool = False
    """Show the traceback of an error."""

    def __post_init__(self) -> None:
        _check_at_least(self, resolution=16)
        if self.thickness is not None and not 0 < self.thickness < float("inf"):
            raise InputError("--thickness", f"{self.thickness} is no length", "give a positive one in the file's units")


@dataclass(frozen=True)
class RenderSettings:
    """Turn meshes into posed pictures with exact depth, normals and masks, labelled as EG3D wants them.

    Running the same command again goes on where it stopped, and adds what meshes have come to the folder.
    """

    input: Positional[Path]
    """Mesh file, or a folder: every mesh below it is rendered."""
    output: Output
    """Folder to write: dataset.json, and a sub-folder of pictures for each shape."""
    views: int | None = None
    """Pictures of each shape (10), spread all around by chance."""
    size: int = 128
    """Pixels along each side."""
    azimuth: tuple[float, float] = (-180.0, 180.0)
    """Degrees to the right of the front, which is +z: from, to."""
    elevation: tuple[float, float] = (-20.0, 40.0)
    """Degrees above: from, to."""
    distance: float = 9.0
    """Of the camera from the origin; shapes lie inside the unit sphere."""
    focal: float = 4.2647
    """Focal length in picture widths; with the distance of 9 the unit sphere fits the picture with a margin."""
    cameras: Path | None = None
    """Take all cameras of this dataset.json, transforms.json or set of pictures instead."""
    frame: Literal["unit", "own"] = "unit"
    """unit: centre each shape and scale it into the unit sphere; own: leave it where it is."""
    up: Literal["y", "z"] = "y"
    """What is up in the mesh files; z is turned to y."""
    light: Literal["studio", "varied", "flat"] = "studio"
    """Fixed in the world. varied: another environment for each shape; flat: colours as they are stored."""
    background: str = "white"
    """Name of a colour, or "#rrggbb"."""
    samples: int = 3
    """Per pixel along each side, odd."""
    color_only: bool = False
    """Write no depth, normals and masks: EG3D's own loader takes every picture in the folder for a labelled one."""
    device: Literal["cpu", "cuda"] = "cpu"
    """What draws: a processor, or a GPU."""
    jobs: int | None = None
    """Processes at a time; by default one per core, and one on a GPU."""
    seed: int = 0
    """Seed of every random number."""
    restart: bool = False
    """Remove the pictures in the output folder and begin anew."""
    json: bool = False
    """Print one JSON object on stdout, and nothing else there."""
    debug: bool = False
    """Show the traceback of an error."""

    def __post_init__(self) -> None:
        _check_at_least(self, views=1, size=2, samples=1, jobs=1)
        if self.samples % 2 == 0:
            raise InputError(
                "--samples", f"{self.samples} is even", "give an odd number: one lies at the pixel's centre"
            )
        if self.views is not None and self.cameras is not None:
            raise InputError("--views, --cameras", "both say how many pictures", "choose one")
        for name, (low, high), most in (("azimuth", self.azimuth, 360), ("elevation", self.elevation, 90)):
            if not -most <= low <= high <= most:
                raise InputError(f"--{name}", f"{low:g} to {high:g} is no range", f"give two angles up to {most}")
        for name, value in (("distance", self.distance), ("focal", self.focal)):
            if not 0 < value < float("inf"):
                raise InputError(f"--{name}", f"{value} is no length", "give a positive one")


@dataclass(frozen=True)
class ConvertSettings:
    """Bring a set of posed pictures into another layout, mirrored, balanced or cropped on the way."""

    input: Positional[Path]
    """Folder or uncompressed .zip with a dataset.json (EG3D), transforms.json (NeRF) or COLMAP text model."""
    output: Output
    """Folder to write, or a file that ends in .zip."""
    format: Literal["eg3d", "nerf", "colmap"] = "eg3d"
    """eg3d: dataset.json; nerf: transforms.json; colmap: a text model in sparse/0, pictures in images."""
    up: Literal["y", "z"] = "y"
    """What is up in the set; z, as in Blender's, is turned to y."""
    crop: int | None = None
    """Crop each picture to its shape's mask, square, and bring it to so many pixels."""
    mirror: bool = False
    """Add the mirror image of each picture, with the camera for which it is true."""
    balance: bool = False
    """Repeat pictures from rare azimuths, so that all weigh about alike."""
    color_only: bool = False
    """Leave out depth, normals and masks, as EG3D's own loader wants it."""
    seed: int = 0
    """Seed of every random number."""
    json: bool = False
    """Print one JSON object on stdout, and nothing else there."""
    debug: bool = False
    """Show the traceback of an error."""

    def __post_init__(self) -> None:
        _check_at_least(self, crop=2)


@dataclass(frozen=True)
class EvaluateSettings:
    """Measure a mesh against the true one; or two folders, files matched by name, as a table."""

    prediction: Positional[Path]
    """Mesh file or folder to measure."""
    truth: Positional[Path]
    """Mesh file or folder to measure it against."""
    preset: Literal["default", "geogen"] = "default"
    """geogen: both scaled into the unit sphere, 20,000 samples, 20 repeats, mean and deviation."""
    seed: int = 0
    """Seed of every random number."""
    json: bool = False
    """Print one JSON object on stdout, and nothing else there."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class ViewSettings:
    """Look at meshes, point clouds and runs side by side: in the browser until Ctrl-C, or as one picture."""

    input: Positional[tuple[Path, ...]]
    """Mesh files, point clouds and run folders."""
    port: int | None = None
    """Port of the page; 8080 or, if that is taken, any free one by default."""
    host: str = "127.0.0.1"
    """Address to listen at; by default only this machine can open the page, 0.0.0.0 lets the network."""
    screenshot: Path | None = None
    """Write the page's first view as a .png and leave; needs no browser."""
    truth: Path | None = None
    """Mesh to measure all against; by default a run is measured against its input if that can be found."""
    colors: Colors = "own"
    """own, plain, error (distance to the truth), or seen (what a scan saw, and what was invented)."""
    resolution: int = 128
    """Lattice points along the longest side for the surface of a run; a slider on the page."""
    level: float = 0.0
    """Signed distance of the surface shown of a run, in unit lengths; a slider on the page."""
    slice: Axis | None = None
    """Cut across this axis and show the signed distance on the plane."""
    at: float = 0.0
    """Where the cut lies along its axis, in unit lengths from the middle; a slider on the page."""
    up: Literal["y", "z"] | None = None
    """The axis that points up on the screen; guessed by default."""
    seed: int = 0
    """Seed of every random number."""
    json: bool = False
    """Print one JSON object on stdout in the end, and nothing else there."""
    debug: bool = False
    """Show the traceback of an error."""

    def __post_init__(self) -> None:
        if not self.input:
            raise InputError("X", "is missing: there is nothing to look at", "name a mesh, a cloud or a run folder")
        _check_at_least(self, resolution=2, port=0)
        if self.port is not None and self.port > 65535:
            raise InputError("--port", f"{self.port} is too large", "give at most 65535")
        if not abs(self.level) < float("inf"):
            raise InputError("--level", f"{self.level} is no distance", "give a number, 0 for the surface itself")
        if not -1 <= self.at <= 1:
            raise InputError("--at", f"{self.at} is beyond the shape", "give a number from -1 to 1")


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
        _check_at_least(self, resolution=16, jobs=1)
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
        _check_at_least(self, count=16, per_class=1, jobs=1)
        if self.shine is not None and not 0 <= self.shine <= 1:
            raise InputError("--shine", f"{self.shine} is no strength", "give a number from 0 to 1")
        if self.format == "deepsdf" and self.signs == "none":
            raise InputError("--signs", "DeepSDF's files are inside and outside samples", "take --format store")


@dataclass(frozen=True)
class TrainSettings:
    """Learn a family of shapes: one network for all of them, and a code for each.

    Running the same command again goes on where it stopped.
    """

    what: Positional[Literal["auto-decoder", "geogen"]]
    """auto-decoder: codes and network learned together (DeepSDF), from samples of signed distance; geogen: a generator,
    from pictures, whose own flags `isofield train geogen --help` lists."""
    input: Positional[Path]
    """Store that `isofield sample` wrote."""
    output: Output
    """Run folder to write: report.json, preview.png, samples/, config.json, env.json, log.jsonl, checkpoints."""
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
    processes: int = 1
    """That train together, each on its share of a step's shapes; on GPUs one for each."""
    device: Literal["cpu", "gpu"] = "cpu"
    """Where to train; gpu needs a torch that finds one."""
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
        if self.what == "geogen":
            raise InputError(
                "train", "geogen has flags of its own", "write it first: isofield train geogen VIEWS -o RUN"
            )
        _check_at_least(self, steps=1, code=1, width=1, depth=1, shapes=1, points=1, draw=0, processes=1)
        if self.budget is not None and not 0 < self.budget < float("inf"):
            raise InputError("--budget", f"{self.budget} seconds are no length", "give a positive number of seconds")
        if self.budget is not None and self.steps is not None:
            raise InputError("--budget, --steps", "both give the length", "choose one")
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
    kimg: float | None = None
    """Thousands of pictures to learn from, exactly: same machine, seed and kimg give the same bytes."""
    budget: float | None = None
    """Seconds of training (1800 if no length is given); turned into steps once, and stored."""
    size: int | None = None
    """Pixels a side of the pictures to make: a power of two, by default the preset's, or what the set has."""
    batch: int | None = None
    """Pictures in each step."""
    shares: int | None = None
    """Parts that a step's pictures are cut into (1): done one after another in less memory, or by as many processes, if
    torchrun starts these."""
    r1: float | None = None
    """Weight of the critic's gradient penalty; by default from size and batch."""
    settle: float | None = None
    """Kimg after which the sharpness of surfaces is learned and the loss of depth begins."""
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
        _check_at_least(self, size=8, batch=2, shares=1, settle=0)
        for name in ("kimg", "budget", "r1"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise InputError(f"--{name}", f"{value} is out of range", "give a positive number")
        if self.budget is not None and self.kimg is not None:
            raise InputError("--budget, --kimg", "both give the length", "choose one")


@dataclass(frozen=True)
class GenerateSettings:
    """Draw new shapes from what a run has learned; or go from one of its shapes to another, or add them up.

    A folder that this verb wrote before is replaced.
    """

    input: Positional[Path]
    """Run folder of a shape space or of a generator, one of its checkpoints, or an experiment of DeepSDF."""
    output: Output
    """Folder to write: 00000.ply .glb .png ..., sheet.png, report.json"""
    count: Annotated[int | None, arg(name="n", aliases=("-n",))] = None
    """How many new shapes (8)."""
    truncation: float = 0.7
    """How far from what is usual they go: 0 is the most usual shape, 1 as codes are spread."""
    class_name: Annotated[str | None, arg(name="class")] = None
    """Draw shapes of this class only."""
    prior: Literal["mixture", "gaussian"] = "mixture"
    """What is taken for the distribution of codes, in each class: several normal distributions, or one."""
    interpolate: tuple[str, ...] = ()
    """A B [STEPS]: no new shapes but so many (8) from trained shape A to B, in strip.png and video.gif."""
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
        _check_at_least(self, resolution=2)
        if self.count is not None and self.count < 1:
            raise InputError("-n", f"{self.count} shapes are none", "give at least 1")
        if not 0 <= self.truncation < float("inf"):
            raise InputError("--truncation", f"{self.truncation} is no factor", "give 1, or less for usual shapes")
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
    picture NAME.depth.npy of a set of pictures, whose dataset.json has its camera."""
    prior: Path
    """Run of `isofield train auto-decoder`, or one of its checkpoints."""
    output: Output
    """Run folder to write: meshes, report.json, code.safetensors, preview.png, a checkpoint."""
    align: bool = False
    """Estimate rotation, translation and scale too; without it points are taken to lie in the frame of the space."""
    class_name: Annotated[str, arg(name="class")] = "auto"
    """Class of the shape; auto: the one that fits best."""
    method: Literal["gauss-newton", "adam"] = "gauss-newton"
    """adam: DeepSDF's 800 iterations, to compare with."""
    starts: int = 8
    """Codes that the search starts from: means of the classes and trained shapes near the scan."""
    refine: int = 0
    """Passes of refinement on other points, half of them those that fit worst."""
    thin: float = 0.0
    """Weight of a loss for samples near the surface on its wrong side, which keeps thin parts."""
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
        _check_at_least(self, resolution=2, starts=1, refine=0, finetune=0)
        if not 0 <= self.thin < float("inf"):
            raise InputError("--thin", f"{self.thin} is no weight", "give 0 or a positive number")
        if self.method == "adam" and (self.align or self.refine or self.thin):
            raise InputError("--method", "adam knows no --align, --refine or --thin", "leave them out")


@dataclass(frozen=True)
class DemoSettings:
    """Run the main job on bundled models and show it on a page that needs no network."""

    output: Output = Path("demo")
    """Folder to write: index.html and all it shows."""
    budget: float | None = None
    """Seconds of training per model."""
    short: bool = False
    """Seconds rather than minutes: little training, a coarse lattice."""
    seed: int = 0
    """Seed of every random number."""
    json: bool = False
    """Print one JSON object on stdout, and nothing else there."""
    debug: bool = False
    """Show the traceback of an error."""


def config_of(settings: Any) -> dict[str, Any]:
    """The settings that decide a result, as JSON: those about where to write and what to print are left out."""
    ways = ("output", "restart", "json", "debug")
    values = {key: value for key, value in asdict(settings).items() if key not in ways}
    return {key: str(value) if isinstance(value, Path) else value for key, value in values.items()}


def _is_step_count(text: str) -> bool:
    return text.isdecimal() and 2 <= int(text) <= 1000


def _check_at_least(settings: Any, **least: int) -> None:
    for name, bound in least.items():
        value = getattr(settings, name)
        if value is not None and value < bound:
            raise InputError(f"--{name}", f"{value} is too small", f"give at least {bound}")
        if value is not None and value > MOST.get(name, value):
            raise InputError(f"--{name}", f"{value} is too large", f"give at most {MOST[name]}")
