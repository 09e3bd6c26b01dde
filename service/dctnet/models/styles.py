"""The seven public DCT-Net models, one for each style.

Paper: Y. Men, Y. Yao, M. Cui, Z. Lian, X. Xie, "DCT-Net: Domain-Calibrated Translation for
Portrait Stylization", ACM Transactions on Graphics 41(4), 2022, arXiv:2207.02426.
"""

from dataclasses import dataclass

SHIPPED_STYLES = ("comic", "sketch", "poster")
"""Styles that ship with the package. A public model of the same name takes precedence once it has
been fetched."""

PAPER = "https://arxiv.org/abs/2207.02426"

_LICENCE = (
    "Apache-2.0 by the authors' code repository; the licence of the weights is stated on the"
    " model's page"
)


@dataclass(frozen=True, slots=True)
class PublicStyle:
    """A public model and its style."""

    name: str
    """Name in the command line, settings and API."""
    title: str
    """Display name."""
    model_id: str
    """Repository on the ModelScope hub, ``owner/name``."""
    licence: str
    """Publicly stated licence, and where it is stated."""

    @property
    def source(self) -> str:
        """Page of the model on the ModelScope hub."""
        return f"https://modelscope.cn/models/{self.model_id}"


def _style(name: str, title: str, infix: str) -> PublicStyle:
    model_id = f"iic/cv_unet_person-image-cartoon{infix}_compound-models"
    return PublicStyle(name, title, model_id, _LICENCE)


STYLES: dict[str, PublicStyle] = {
    style.name: style
    for style in (
        _style("anime", "Anime", ""),
        _style("3d", "3D cartoon", "-3d"),
        _style("handdrawn", "Hand-drawn", "-handdrawn"),
        _style("sketch", "Sketch", "-sketch"),
        _style("artstyle", "Art style", "-artstyle"),
        _style("sd-design", "Design (with Stable Diffusion)", "-sd-design"),
        _style("sd-illustration", "Illustration (with Stable Diffusion)", "-sd-illustration"),
    )
}
