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
from dctnet.api.cartoonize import CartoonHandler
from dctnet.api.upload_body import InMemoryRequest
from dctnet.replica import Replica


def create_app(replica: Replica) -> Flask:
    """Make the application; until the replica is ready it answers that the model is loading."""
    app = Flask("dctnet", template_folder="api/templates", static_folder=None)
    app.request_class = InMemoryRequest
    # Werkzeug would redirect `/v1//styles`, to an address that it makes of the Host header.
    app.url_map.merge_slashes = False

    app.before_request(request_id.assign_request_id)
    app.before_request(access_log.start_record)
    app.before_request(paths.reject_empty_segment)
    app.register_error_handler(Exception, problems.error_response)
    # Handlers after a request run in reverse.
    app.after_request(access_log.finish_record(replica.metrics, replica.tracing))
    app.after_request(request_id.add_request_id)
    app.after_request(security_headers.add_security_headers)
    app.after_request(cors.cors_headers(replica.settings.cors_origins))

    sent = queue_tickets.QueueTickets()
    studio = CartoonHandler(replica, sent)
    with_key = authentication.require_api_key(replica.api_keys)
    route = app.add_url_rule
    route("/", "page", web_ui.web_ui_view(replica.model, replica.settings), methods=["GET"])
    route("/static/<path:address>", "static", static_files.static_files_view(), methods=["GET"])
    route("/health", "health", health.health_view(replica.lifecycle), methods=["GET"])
    route("/v1/styles", "styles", styles.styles_view(replica.model), methods=["GET"])
    route(
        "/v1/styles/<style>/sample",
        "sample",
        style_samples.style_sample_view(replica.model),
        methods=["GET"],
    )
    draw = with_key(cartoons.cartoons_view(replica.model, studio))
    route("/v1/cartoons", "cartoons", draw, methods=["POST"])
    route(
        "/v1/queue-tickets/<ticket>",
        "queue-ticket",
        queue_tickets.queue_ticket_view(sent),
        methods=["GET"],
    )
    route("/upload", "upload", with_key(upload.upload_view(studio)), methods=["POST"])
    document = openapi.openapi_document(replica)
    route("/openapi.json", "openapi", openapi.openapi_view(document), methods=["GET"])
    route("/docs", "docs", docs.docs_view(document), methods=["GET"])
    # Templates are read now: later there may be no file descriptor left.
    for template in app.jinja_env.list_templates():
        app.jinja_env.get_template(template)
    return app
