"""Tracing: spans reach a collector, with release and pod names."""

import json
from typing import Any

from tests.e2e import pods
from tests.e2e.cluster import Release, until

COLLECT = """
import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

class Collector(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        for spans in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = {pair.key: pair.value.string_value for pair in spans.resource.attributes}
            names = [span.name for scope in spans.scope_spans for span in scope.spans]
            print(json.dumps({"resource": resource, "names": names}), flush=True)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

HTTPServer(("", 4318), Collector).serve_forever()
"""


def test_spans_reach_a_collector_through_the_network_policy(module_namespace, demo, image):
    pods.start(module_namespace, image, "collector", COLLECT)
    tracing = {"endpoint": f"http://{pods.address(module_namespace, 'collector')}:4318"}
    release = Release(module_namespace, demo | {"tracing": tracing})
    release.install()
    release.test()  # Posts an image per style, and their spans may come in several batches.

    def received_batches() -> list[dict[str, Any]]:
        batches = list(map(json.loads, module_namespace.kubectl("logs", "collector").splitlines()))
        return batches if "POST /v1/cartoons" in span_names(batches) else []

    batches = until(received_batches, "no span of an image was received")
    # A request's own span ends after the spans of its steps.
    assert {"queue", "decode", "background", "encode"} <= span_names(batches)
    for resource in (batch["resource"] for batch in batches):
        assert resource["service.name"] == release.name
        assert resource["k8s.namespace.name"] == module_namespace.name
        assert resource["k8s.pod.name"] in release.ready_pods()


def span_names(batches: list[dict[str, Any]]) -> set[str]:
    return {name for batch in batches for name in batch["names"]}
