"""From settings to a model and the engine that runs it."""

from dctnet.config import Settings
from dctnet.engine import Engine, read_alpha
from dctnet.models.folder import ALPHA, ModelFolder, locate, open_folder
from dctnet.runtimes import selection


def find_model(settings: Settings) -> ModelFolder:
    """Return the model that the settings name, verified; raise ModelError."""
    return open_folder(locate(settings.model, settings.models_dir), settings.model_digest)


def load_engine(settings: Settings, model: ModelFolder | None = None) -> tuple[Engine, ModelFolder]:
    """Load a verified model, by default the one that the settings name; raise ModelError.

    It takes seconds, and reads nothing but the files that are open since the verification.
    """
    folder = model or find_model(settings)
    networks = selection.load(folder, network_threads(settings), settings.runtime)
    alpha = read_alpha(folder.files[ALPHA])
    return Engine(networks, alpha, max_working_side=settings.max_working_side), folder


def network_threads(settings: Settings) -> int:
    """Return how many threads one call of a network may use."""
    return settings.threads or max(1, int(settings.cpus))
