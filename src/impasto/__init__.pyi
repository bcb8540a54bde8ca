"""The public names with their types, for type checkers and editors."""

from impasto import bench as bench
from impasto.batch.stylize_many import stylize_many as stylize_many
from impasto.diagnostics.doctor import examine as examine
from impasto.errors import (
    CheckpointError as CheckpointError,
    ClusterError as ClusterError,
    DivergenceError as DivergenceError,
    HostError as HostError,
    ImpastoError as ImpastoError,
    MissingExtraError as MissingExtraError,
    OutputError as OutputError,
    PictureError as PictureError,
    PictureWarning as PictureWarning,
    RegionWarning as RegionWarning,
    SettingsError as SettingsError,
    WeightsError as WeightsError,
)
from impasto.exporting.export import export as export
from impasto.feedforward.model import Model as Model
from impasto.feedforward.model_file import load_model as load_model, save_model as save_model
from impasto.layers import layer_facts as layer_facts
from impasto.machine.compute import Compute as Compute
from impasto.network.weights import (
    describe_weights as describe_weights,
    load_weights as load_weights,
)
from impasto.painting.checkpoint import save_checkpoint as save_checkpoint
from impasto.painting.step import Step as Step
from impasto.painting.synthesis import (
    iterate as iterate,
    iterate_reconstruct as iterate_reconstruct,
    iterate_texture as iterate_texture,
    reconstruct as reconstruct,
    stylize as stylize,
    texture as texture,
)
from impasto.pictures.image import Image as Image, open_image as open_image
from impasto.settings.model import Settings as Settings
from impasto.settings.presets import PRESETS as PRESETS
from impasto.settings.print_size import PrintSize as PrintSize, print_size as print_size
from impasto.sheets.explain import explain as explain, iterate_explain as iterate_explain
from impasto.sheets.grid import iterate_sheet as iterate_sheet, sheet as sheet
from impasto.sheets.proof import iterate_proof as iterate_proof, proof as proof
from impasto.sheets.trials import iterate_trials as iterate_trials, try_out as try_out
from impasto.training.training import iterate_train as iterate_train, train as train
from impasto.training.training_run import TrainingStep as TrainingStep
from impasto.version import __version__ as __version__
from impasto.video.film_file import stylize_video as stylize_video
from impasto.video.film_painting import FrameStep as FrameStep, iterate_video as iterate_video
from impasto.video_files.recipes import read_recipe as read_recipe

__all__: list[str]
