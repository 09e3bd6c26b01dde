"""Model loading: from settings to a verified model and its engine."""

from dctnet.config import Settings
from dctnet.engine import Engine, read_alpha
from dctnet.models.folder import ALPHA, ModelFolder, locate, open_folder
from dctnet.runtimes import selection


def find_model(settings: Settings) -> ModelFolder:
    """Find and verify the model that the settings name; raise ModelError."""
    return open_folder(locate(settings.model, settings.models_dir), settings.model_digest)


def load_engine(settings: Settings, model: ModelFolder | None = None) -> tuple[Engine, ModelFolder]:
    """Load a verified model, by default the one that the settings name; raise ModelError.

    Takes seconds. Reads only the files that have been open since verification.
    """
    folder = model or find_model(settings)
    networks = selection.load(folder, network_threads(settings), settings.runtime)
    alpha = read_alpha(folder.files[ALPHA])
    return Engine(networks, alpha, max_working_side=settings.max_working_side), folder


def network_threads(settings: Settings) -> int:
    """Return the number of threads that one call of a network may use."""
    return settings.threads or max(1, int(settings.cpus))
