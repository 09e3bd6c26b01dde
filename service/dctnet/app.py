"""The Flask application: the route table and the order of the middlewares on one screen."""

from flask import Flask

from dctnet.api import (
    access_log,
    authentication,
    cartoons,
    cors,
    docs,
    health,
    openapi,
    paths,
    problems,
    queue_tickets,
    request_id,
    security_headers,
    static_files,
    style_samples,
    styles,
    upload,
    web_ui,
)
from dctnet.api.cartoonize import Studio
from dctnet.api.upload_body import InMemoryRequest
from dctnet.replica import Replica


def create_app(replica: Replica) -> Flask:
    """Make the application; until the replica is ready it answers that the model is loading."""
    app = Flask("dctnet", template_folder="api/templates", static_folder=None)
    app.request_class = InMemoryRequest
    # Werkzeug would redirect `/v1//styles`, to an address that it makes of the Host header.
    app.url_map.merge_slashes = False

    app.before_request(request_id.assign)
    app.before_request(access_log.begin)
    app.before_request(paths.reject_empty_segment)
    app.register_error_handler(Exception, problems.answer)
    # Handlers after a request run in reverse.
    app.after_request(access_log.end(replica.metrics, replica.tracing))
    app.after_request(request_id.send)
    app.after_request(security_headers.send)
    app.after_request(cors.allow(replica.settings.cors_origins))

    sent = queue_tickets.Tickets()
    studio = Studio(replica, sent)
    with_key = authentication.required(replica.api_keys)
    route = app.add_url_rule
    route("/", "page", web_ui.view(replica.model, replica.settings), methods=["GET"])
    route("/static/<path:address>", "static", static_files.view(), methods=["GET"])
    route("/health", "health", health.view(replica.lifecycle), methods=["GET"])
    route("/v1/styles", "styles", styles.view(replica.model), methods=["GET"])
    route("/v1/styles/<style>/sample", "sample", style_samples.view(replica.model), methods=["GET"])
    draw = with_key(cartoons.view(replica.model, studio))
    route("/v1/cartoons", "cartoons", draw, methods=["POST"])
    route("/v1/tickets/<ticket>", "ticket", queue_tickets.view(sent), methods=["GET"])
    route("/upload", "upload", with_key(upload.view(studio)), methods=["POST"])
    document = openapi.document(replica)
    route("/openapi.json", "openapi", openapi.view(document), methods=["GET"])
    route("/docs", "docs", docs.view(document), methods=["GET"])
    # Templates are read now: later there may be no file descriptor left.
    for template in app.jinja_env.list_templates():
        app.jinja_env.get_template(template)
    return app
