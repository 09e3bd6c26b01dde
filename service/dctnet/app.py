"""Flask application: middleware order and route table."""

from collections.abc import Callable

from flask import Flask, Response

from dctnet.api import access_log, paths, problems, request_id, security_headers
from dctnet.api.authentication import require_api_key
from dctnet.api.cartoonize import CartoonHandler
from dctnet.api.cartoons import cartoons_view
from dctnet.api.cors import cors_headers
from dctnet.api.docs import docs_view
from dctnet.api.health import health_view
from dctnet.api.openapi import openapi_view
from dctnet.api.queue_tickets import QueueTickets, queue_ticket_view
from dctnet.api.static_files import static_files_view
from dctnet.api.style_samples import style_sample_view
from dctnet.api.styles import styles_view
from dctnet.api.upload import deprecation_headers, upload_view
from dctnet.api.upload_body import InMemoryRequest
from dctnet.api.web_ui import web_ui_view
from dctnet.replica import Replica


def create_app(replica: Replica) -> Flask:
    """Make the application; it rejects images with 503 until the model is loaded."""
    app = Flask("dctnet", template_folder="api/templates", static_folder=None)
    app.request_class = InMemoryRequest
    # Werkzeug would redirect `/v1//styles` to a URL with the client's Host header.
    app.url_map.merge_slashes = False

    app.before_request(request_id.assign_request_id)
    app.before_request(access_log.start_record)
    app.before_request(paths.add_slash)
    app.before_request(paths.reject_empty_segment)
    app.register_error_handler(Exception, problems.error_response)
    # These handlers run in reverse order.
    app.after_request(access_log.finish_record(replica.metrics, replica.tracing))
    app.after_request(request_id.add_request_id)
    app.after_request(deprecation_headers)
    app.after_request(security_headers.add_security_headers)
    app.after_request(cors_headers(replica.settings.cors_origins))

    _add_routes(app, replica)
    if prefix := replica.settings.path_prefix:
        app.wsgi_app = paths.strip_prefix(app.wsgi_app, prefix)  # type: ignore[assignment, method-assign]
    # Load templates now, because file descriptors may run out later.
    for template in app.jinja_env.list_templates():
        app.jinja_env.get_template(template)
    return app


def _add_routes(app: Flask, replica: Replica) -> None:
    tickets = QueueTickets()
    handler = CartoonHandler(replica, tickets)
    with_key = require_api_key(replica.api_keys)

    def route(rule: str, endpoint: str, view: Callable[..., Response], method: str = "GET") -> None:
        app.add_url_rule(rule, endpoint, view, methods=[method])

    route("/v1/cartoons", "cartoons", with_key(cartoons_view(handler, replica)), "POST")
    route("/v1/queue-tickets/<ticket>", "queue_ticket", queue_ticket_view(tickets))
    route("/v1/styles", "styles", styles_view(replica))
    route("/v1/styles/<style>/sample", "style_sample", style_sample_view(replica))
    route("/upload", "upload", with_key(upload_view(handler, replica)), "POST")
    route("/health", "health", health_view(replica.lifecycle))
    route("/openapi.json", "openapi", openapi_view(replica))
    route("/docs", "docs", docs_view(replica))
    route("/", "web_ui", web_ui_view(replica))
    route("/static/<path:path>", "static", static_files_view())
