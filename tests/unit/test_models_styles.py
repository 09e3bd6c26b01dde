from dctnet.models.styles import DEMO_STYLE, STYLES
from tests.support.repo import ROOT


def test_every_style_says_what_it_is_and_where_it_comes_from():
    for name, style in STYLES.items():
        assert style.name == name
        assert style.title
        assert "Apache-2.0" in style.licence
        assert style.source == f"https://modelscope.cn/models/{style.model_id}"
    assert DEMO_STYLE not in STYLES


def test_the_documentation_lists_the_styles_as_they_are():
    page = (ROOT / "docs" / "models.md").read_text()
    listed = [line for line in page.splitlines() if "](https://modelscope.cn/models/" in line]
    assert listed == [
        f"| `{style.name}` | {style.title} | [`{style.model_id}`]({style.source}) |"
        for style in STYLES.values()
    ]
