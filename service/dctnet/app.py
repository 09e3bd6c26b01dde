"""The Flask application: the whole route table on one screen."""

from concurrent.futures import Future

from flask import Flask

from dctnet.config import Settings
from dctnet.http import cartoons, health, page, problems, request_id, styles, upload
from dctnet.http.bodies import InMemoryRequest
from dctnet.http.drawing import Cartoonist, Studio
from dctnet.models.folder import ModelFolder


def create_app(settings: Settings, model: ModelFolder, engine: Future[Cartoonist]) -> Flask:
    """Make the application; until ``engine`` is done it answers that the model is loading."""
    app = Flask("dctnet", template_folder="http/templates", static_folder="http/static")
    app.request_class = InMemoryRequest
    studio = Studio(settings, engine)

    app.before_request(request_id.assign)
    app.after_request(request_id.send)
    app.register_error_handler(Exception, problems.answer)

    route = app.add_url_rule
    route("/", "page", page.view(model), methods=["GET"])
    route("/health", "health", health.view(engine), methods=["GET"])
    route("/v1/styles", "styles", styles.view(model), methods=["GET"])
    route("/v1/cartoons", "cartoons", cartoons.view(settings, model, studio), methods=["POST"])
    route("/upload", "upload", upload.view(settings, model, studio), methods=["POST"])
    return app
