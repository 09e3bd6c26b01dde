"""Model loading: from settings to verified models and their engines."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dctnet.config import Settings
from dctnet.cpus import memory_limit
from dctnet.memory import hot_styles
from dctnet.models.errors import ModelError
from dctnet.models.folder import ALPHA, ModelFolder, default_styles, locate, open_folder, style_of
from dctnet.runtimes.selection import NetworkLoader, limit_hot_generators, select

if TYPE_CHECKING:
    from dctnet.engine import Engine


@dataclass(frozen=True)
class StyleModels:
    """The models of a replica's styles."""

    models: Mapping[str, ModelFolder]
    """Verified models by the names of their styles, the default first."""
    broken: Mapping[str, str] = field(default_factory=dict)
    """Styles that are left out, with the reason."""


def find_models(settings: Settings) -> StyleModels:
    """Find and verify the models of all styles.

    Raises ModelError for the first that cannot be used, or with ``DCTNET_STYLES_OPTIONAL`` if none
    can, and for pins of styles that are not listed.
    """
    models: dict[str, ModelFolder] = {}
    broken: dict[str, str] = {}
    unused = dict(settings.style_digests)
    for entry in settings.styles or default_styles(settings.models_dir):
        try:
            path = locate(entry, settings.models_dir)
            name = entry if entry in settings.style_digests else style_of(path)
            model = open_folder(path, unused.pop(name, None))
            select(model, settings.runtime)
        except ModelError as error:
            if not settings.styles_optional:
                raise
            broken[entry] = str(error)
            continue
        if model.style in models:
            raise ModelError(
                f"{models[model.style].path} and {path} are both the style {model.style}: list one"
                " of them, or give one another name with `dctnet prepare --style`."
            )
        models[model.style] = model
    if unlisted := unused.keys() - broken.keys():
        raise ModelError(
            f"DCTNET_STYLE_DIGESTS pins {', '.join(sorted(unlisted))}, but the styles are"
            f" {', '.join((*models, *broken))}."
        )
    require_style(models, broken)
    return StyleModels(models, broken)


def restricted(settings: Settings, styles: tuple[str, ...] | None = None) -> Settings:
    """Return settings with these styles only, by default the default style, and their pins.

    Raises ModelError as `locate` does.
    """
    styles = styles or (settings.styles or default_styles(settings.models_dir))[:1]
    names = {style_of(locate(style, settings.models_dir)) for style in styles}
    pins = {name: pin for name, pin in settings.style_digests.items() if name in names}
    return replace(settings, styles=styles, style_digests=pins)


def require_style(usable: Mapping[str, object], broken: Mapping[str, str]) -> None:
    """Raise ModelError, with the reasons, if no style is left."""
    if not usable:
        reasons = " ".join(f"{style}: {reason}" for style, reason in broken.items())
        raise ModelError(f"No style can be used. {reasons}")


def load_engines(
    settings: Settings, found: StyleModels
) -> "tuple[Mapping[str, Engine], Mapping[str, str]]":
    """Return the engines by style, and the styles that are left out, with the reason.

    Takes seconds. Reads only the files that have been open since verification. Raises ModelError
    as `find_models` does.
    """
    from dctnet.engine import Engine, read_alpha

    threads = network_threads(settings)
    loader = NetworkLoader(threads, settings.runtime)
    engines: dict[str, Engine] = {}
    generators = 1  # Most of a style: one for both image and head, or two.
    broken = dict(found.broken)
    for style, model in found.models.items():
        try:
            networks, alpha = loader.load(model), read_alpha(model.files[ALPHA])
        except ModelError as error:
            if not settings.styles_optional:
                raise
            broken[style] = str(error)
            continue
        engines[style] = Engine(networks, alpha, settings.max_working_side)
        generators = max(generators, len({id(networks.background), id(networks.head)}))
    require_style(engines, broken)
    hot = hot_styles(settings, threads, len(engines), memory_limit())
    limit_hot_generators(hot * generators)
    return engines, broken


def load_engine(settings: Settings) -> "Engine":
    """Load the default style; raise ModelError."""
    settings = restricted(settings)
    engines, _ = load_engines(settings, find_models(settings))
    (engine,) = engines.values()
    return engine


def network_threads(settings: Settings) -> int:
    """Return the number of threads that one call of a network may use."""
    return settings.threads or max(1, int(settings.cpus))
