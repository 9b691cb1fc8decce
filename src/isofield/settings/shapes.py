"""One mesh, cloud or run at a time."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from isofield.errors import InputError
from isofield.settings.common import Axis, Colors, Output, Unit, check_at_least, check_length


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
        check_at_least(self, resolution=2, steps=1, width=1, depth=0)
        check_length(self, "steps")


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
        check_at_least(self, resolution=2, faces=4)
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
        check_at_least(self, resolution=16)
        if self.thickness is not None and not 0 < self.thickness < float("inf"):
            raise InputError("--thickness", f"{self.thickness} is no length", "give a positive one in the file's units")


@dataclass(frozen=True)
class EvaluateSettings:
    """Measure a mesh against the true one; or two folders, files matched by name; or a generator against pictures."""

    prediction: Positional[Path]
    """Mesh file or folder to measure; or the run of a generator, or the name of a bundled one: heads."""
    truth: Positional[Path]
    """Mesh file or folder to measure it against; of a generator, a set of posed pictures."""
    preset: Literal["default", "geogen"] = "default"
    """geogen: both scaled into the unit sphere, 20,000 samples, 20 repeats, mean and deviation."""
    count: Annotated[int | None, arg(name="n", aliases=("-n",))] = None
    """Of a generator: pictures to draw (1,000), at most half as many as the set has."""
    shapes: int | None = None
    """Of a generator: shapes whose surfaces are measured (32)."""
    meshes: Path | None = None
    """Of a generator: folder of true meshes, to compare its shapes with as a set."""
    features: Path | None = None
    """Of a generator: TorchScript file of the network by which pictures are compared, such as Inception's for FID and
    KID; by default random convolutions."""
    identity: Path | None = None
    """Of a generator: TorchScript file of a network that knows faces, such as ArcFace, for views of the same one."""
    seed: int = 0
    """Seed of every random number."""
    json: bool = False
    """Print one JSON object on stdout, and nothing else there."""
    debug: bool = False
    """Show the traceback of an error."""

    def __post_init__(self) -> None:
        check_at_least(self, shapes=1)
        if self.count is not None and self.count < 2:
            raise InputError("-n", f"{self.count} pictures are too few", "give at least 2")


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
        check_at_least(self, resolution=2, port=0)
        if self.port is not None and self.port > 65535:
            raise InputError("--port", f"{self.port} is too large", "give at most 65535")
        if not abs(self.level) < float("inf"):
            raise InputError("--level", f"{self.level} is no distance", "give a number, 0 for the surface itself")
        if not -1 <= self.at <= 1:
            raise InputError("--at", f"{self.at} is beyond the shape", "give a number from -1 to 1")


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
