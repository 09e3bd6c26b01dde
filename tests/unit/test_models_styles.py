from dctnet.models.folder import SHIPPED, SHIPPED_COMMON
from dctnet.models.styles import SHIPPED_STYLES, STYLES
from tests.support.repo import ROOT


def test_every_style_has_title_licence_and_source():
    for name, style in STYLES.items():
        assert style.name == name
        assert style.title
        assert "Apache-2.0" in style.licence
        assert style.source == f"https://modelscope.cn/models/{style.model_id}"


def test_every_shipped_style_has_a_folder():
    folders = {path for path in SHIPPED.iterdir() if path.is_dir()}
    assert folders == {SHIPPED_COMMON, *(SHIPPED / style for style in SHIPPED_STYLES)}


def test_documentation_lists_the_styles():
    page = (ROOT / "docs" / "models.md").read_text()
    listed = [line for line in page.splitlines() if "](https://modelscope.cn/models/" in line]
    assert listed == [
        f"| `{style.name}` | {style.title} | [`{style.model_id}`]({style.source}) |"
        for style in STYLES.values()
    ]
