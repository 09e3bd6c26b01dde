"""Web UI and API at a path of a host that others share."""

import re

import requests

from tests.e2e.cluster import Release, merged, namespace
from tests.support.repo import ROOT

PATH = "/team/cartoons"
PORTRAIT = ROOT / "docs/images/astronaut.jpg"


def test_page_docs_and_api_work_at_a_sub_path(demo, proxy):
    with namespace("dctnet-e2e") as own_namespace:
        values = merged(merged(demo, proxy.values()), {"expose": {"path": PATH}})
        release = Release(own_namespace, values)
        release.install()
        base = proxy.url(own_namespace, PATH) + PATH
        with requests.Session() as session:
            session.headers.update(proxy.headers)
            redirect = session.get(f"{base}?style=comic", allow_redirects=False, timeout=10)
            assert redirect.status_code == 308
            assert redirect.headers["Location"] == "cartoons/?style=comic"
            for page in ("/", "/docs"):
                html = session.get(base + page, timeout=10).text
                links = re.findall(r'(?:href|src)="(static/[^"]+|openapi\.json)"', html)
                assert links
                for link in links:
                    assert session.get(f"{base}/{link}", timeout=10).ok, link
            assert session.get(f"{base}/v1/styles", timeout=10).json()["styles"]
            response = session.post(f"{base}/v1/cartoons", data=PORTRAIT.read_bytes(), timeout=60)
            assert response.headers["Content-Type"] == "image/png"
            outside = base.removesuffix(PATH)
            assert session.get(f"{outside}/v1/styles", timeout=10).status_code == 404
        assert "Succeeded" in release.test()
