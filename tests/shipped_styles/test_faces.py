"""The shipped face networks find faces and landmarks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data

from dctnet.arrays import Floats, Pixels
from dctnet.engine import read_alpha
from dctnet.engine.alignment import HEAD_SIDE, REFERENCE_POINTS
from dctnet.engine.detection import find_faces
from dctnet.engine.landmarks import find_landmarks
from dctnet.models.folder import SHIPPED_COMMON
from dctnet.runtimes import Detector, Landmarker, onnxruntime
from shipped_styles.faces import ibug, mask
from shipped_styles.faces.evaluate import holds, landmarks_in, relative_error, scenes
from shipped_styles.faces.scenes import MIRRORED, Placement, paste
from tests.support.lazy_import import LazyModule

tf = LazyModule("tensorflow.compat.v1")
detector_graph = LazyModule("shipped_styles.faces.detector")
keypoints = LazyModule("shipped_styles.faces.keypoints")
tflite = LazyModule("shipped_styles.faces.tflite")

# By iBUG index: x and y in the astronaut's image, read from the enlarged image.
TRUE_PLACES = {
    36: (194, 101),  # outer corner of the eye on the left
    39: (213, 103),
    42: (237, 104.5),
    45: (257.5, 104),
    30: (225, 128),  # tip of the nose
    48: (202.5, 139.5),  # corners of the mouth
    54: (245, 140.5),
    8: (221.7, 178),  # chin
}
FEW_PIXELS = 4

# Scenes of the table in docs/shipped-face-networks.md.
TESTED_SIZES = (0.1, 0.7)
TESTED_SHAPES = ((720, 720), (720, 1440))
TESTED = [s for s in scenes() if s.size in TESTED_SIZES and s.shape in TESTED_SHAPES]
MAX_ERROR = 0.04


@pytest.fixture(scope="module")
def detector() -> Detector:
    return onnxruntime.detector(SHIPPED_COMMON / "detector.onnx", threads=1)


@pytest.fixture(scope="module")
def landmarker() -> Landmarker:
    return onnxruntime.landmarker(SHIPPED_COMMON / "keypoints.onnx", threads=1)


@pytest.fixture(scope="module")
def landmarks(astronaut: Pixels, detector: Detector, landmarker: Landmarker) -> Floats:
    (box,) = find_faces(astronaut, detector)
    found = find_landmarks(astronaut, box, landmarker)
    assert found is not None
    return found


def session(folder: Path, name: str) -> Callable[..., Any]:
    """A frozen graph as a function of upstream's inputs, without dctnet's runtime."""
    definition = tf.GraphDef.FromString((folder / name).read_bytes())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="")
    opened = tf.Session(graph=graph)

    def run(outputs: list[str], images: Any) -> Any:
        return opened.run(outputs, {"tower_0/images:0": images, "training_flag:0": False})

    return run


def evaluate(function: Callable[..., Any], *arrays: Any) -> Any:
    with tf.Graph().as_default(), tf.Session() as opened:
        return opened.run(function(*(tf.constant(array) for array in arrays)))


class TestDetector:
    def test_astronaut_has_one_face(self, astronaut, detector):
        (box,) = find_faces(astronaut, detector)
        assert np.allclose((box[:2] + box[2:]) / 2, (225, 119), atol=8)
        assert np.allclose(box[2:] - box[:2], 114, atol=12)

    @pytest.mark.parametrize("name", ["coffee", "chelsea", "brick"])
    @pytest.mark.parametrize("side", [300, 720])
    def test_images_without_people_have_no_face(self, name, side, detector):
        image = np.asarray(getattr(skimage.data, name)())
        if image.ndim == 2:
            image = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
        scale = side / min(image.shape[:2])
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        assert len(find_faces(image, detector)) == 0


class TestLandmarks:
    def test_astronaut_landmarks_are_accurate(self, landmarks):
        for number, place in TRUE_PLACES.items():
            assert np.linalg.norm(landmarks[number] - place) < FEW_PIXELS, number

    def test_landmarks_are_in_ibug_order(self, landmarks):
        x, y = landmarks.T
        assert (np.diff(x[:17]) >= -1).all()  # The jaw, from left to right,
        assert y[:17].argmax() in (7, 8, 9)  # with the chin in the middle,
        assert (np.diff(x[17:27]) > 0).all()  # the brows,
        assert (np.diff(y[27:31]) > 0).all()  # the nose, down
        assert (np.diff(x[31:36]) > 0).all()  # and along its base,
        for eye in (36, 42):  # the eyes: left corner, over the top to the right one, and back,
            assert max(y[eye + 1], y[eye + 2]) < min(y[eye + 4], y[eye + 5])
            assert x[eye] < x[eye + 1] < x[eye + 2] < x[eye + 3] > x[eye + 4] > x[eye + 5]
        assert (np.diff(x[48:55]) > 0).all()  # the lips in the same way.
        assert (np.diff(x[54:60]) < 0).all()
        assert y[51] < y[62] < y[66] < y[57]

    @pytest.mark.parametrize("turn", [-25, 0, 25])
    def test_outputs_have_upstream_shapes_and_ranges(self, upstream_comic, turn):
        image = paste(np.full((160, 160, 3), 90, np.uint8), Placement(105, (80, 85), roll=turn))
        run = session(upstream_comic, "keypoints.pb")
        (prediction,) = run(["tower_0/prediction:0"], image[np.newaxis])
        assert prediction.shape == (1, 143)
        assert prediction.dtype == np.float32
        assert ((prediction[0, :136] > 0) & (prediction[0, :136] < 1)).all()
        pitch, yaw, roll = 90 * prediction[0, 136:139]
        assert abs(pitch) < 20
        assert abs(yaw) < 20
        assert abs(roll - turn) < 6  # She holds her head a little to the side.
        assert (prediction[0, 139:] == 0).all()

    def test_noise_has_finite_landmarks(self, upstream_comic):
        noise = np.random.default_rng(0).uniform(0, 255, (1, 160, 160, 3))
        run = session(upstream_comic, "keypoints.pb")
        for image in (noise, np.zeros_like(noise)):
            assert np.isfinite(run(["tower_0/prediction:0"], image)[0]).all()


@pytest.mark.parametrize(
    "scene", TESTED, ids=lambda s: f"{s.size} {s.change} {'x'.join(map(str, s.shape))}"
)
def test_face_of_a_tenth_is_found_in_all_variants(scene, detector, landmarker, astronaut):
    image = scene.image()
    hits = [box for box in find_faces(image, detector) if holds(box, scene.placement)]
    assert len(hits) == 1
    found = landmarks_in(image, hits[0], landmarker)
    (box,) = find_faces(astronaut, detector)
    truth = landmarks_in(astronaut, box, landmarker)
    assert found is not None
    assert truth is not None
    assert relative_error(found, scene.placement.move(truth)) < MAX_ERROR


class TestMask:
    def test_mask_fades_smoothly_from_face_to_border(self):
        alpha = read_alpha(SHIPPED_COMMON / "alpha.jpg")
        assert alpha.shape == (HEAD_SIDE, HEAD_SIDE) == (mask.SIDE, mask.SIDE)
        for x, y in np.rint(REFERENCE_POINTS).astype(int):
            assert alpha[y, x] > 0.99
        for rim in (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]):
            assert rim.max() < 0.02
        assert np.abs(np.diff(alpha, axis=0)).max() < 0.06
        assert np.abs(np.diff(alpha, axis=1)).max() < 0.06

    def test_committed_mask_is_reproducible(self):
        generated = cv2.imdecode(np.frombuffer(mask.jpeg(), np.uint8), cv2.IMREAD_GRAYSCALE)
        committed = cv2.imread(str(SHIPPED_COMMON / "alpha.jpg"), cv2.IMREAD_GRAYSCALE)
        assert cv2.absdiff(generated, committed).max() <= 2  # Encoders differ by rounding.


class TestMapFromMesh:
    def test_landmarks_map_to_distinct_mesh_points_with_mirrored_counterparts(self):
        assert len(ibug.LANDMARKS) == len(set(ibug.LANDMARKS)) == 68
        assert all(0 <= point < ibug.MESH_POINTS for point in ibug.LANDMARKS)
        assert (MIRRORED[MIRRORED] == np.arange(68)).all()


def nothing_found() -> tuple[Floats, Floats, Floats]:
    """The detector's views, and outputs without any face."""
    frames = detector_graph.frames()
    raw = np.zeros((len(frames), 2304, 4), np.float32)
    return frames, raw, np.full((len(frames), 2304, 1), -200, np.float32)


class TestDetectorGraph:
    def test_anchors_are_cell_centers_row_by_row(self):
        anchors = detector_graph.anchors()
        assert anchors.shape == (48 * 48, 2)
        assert np.allclose(anchors[0], (0.5 / 48, 0.5 / 48))
        assert np.allclose(anchors[1], (1.5 / 48, 0.5 / 48))
        assert np.allclose(anchors[48], (0.5 / 48, 1.5 / 48))
        assert np.allclose(anchors[-1], (47.5 / 48, 47.5 / 48))

    def test_tiles_cover_the_image_and_overlap(self):
        tiles = np.rint(detector_graph.frames()[1:-1] * 512).astype(int)
        covered = np.zeros((512, 512), int)
        for y1, x1, y2, x2 in tiles:
            assert (y2 - y1, x2 - x1) == (224, 224)
            covered[y1:y2, x1:x2] += 1
        assert covered.min() == 1
        assert covered.max() == 4

    def test_box_is_mapped_from_view_to_image(self):
        frames, raw, logits = nothing_found()
        middle = 24 * 48 + 24  # The anchor right of and below the center of each view.
        raw[:, middle] = [-2, -2, 48, 24]  # Moved to the center; a quarter by an eighth.
        logits[:, middle] = 3
        boxes, scores = evaluate(detector_graph.decode, raw, logits)
        size = frames[:, 2:] - frames[:, :2]
        centre = (frames[:, :2] + frames[:, 2:]) / 2
        assert np.allclose((boxes[:, :2] + boxes[:, 2:]) / 2, centre, atol=1e-6)
        assert np.allclose(boxes[:, 2:] - boxes[:, :2], size * (1 / 8, 1 / 4), atol=1e-6)
        assert (scores > 0.9).all()

    def test_blazeface_threshold_maps_to_upstream_threshold(self):
        _, raw, logits = nothing_found()
        threshold = detector_graph.THRESHOLD
        logits[:] = np.log(threshold / (1 - threshold))
        _, scores = evaluate(detector_graph.decode, raw, logits)
        assert len(scores) == logits.size
        assert np.allclose(scores, 0.8, atol=1e-6)

    def test_boxes_below_the_threshold_are_omitted(self):
        _, raw, logits = nothing_found()
        boxes, scores = evaluate(detector_graph.decode, raw, logits)
        assert boxes.shape == (0, 4)
        kept, scores = evaluate(detector_graph.suppress, boxes, scores)
        assert (kept.shape, scores.shape) == ((0, 4), (0,))

    def test_box_across_inner_tile_border_is_dropped(self):
        frames, raw, logits = nothing_found()
        corner = [0, 2303]  # Boxes of 20 pixels around the first and last anchors leave every view.
        raw[:, corner, 2:4] = 20
        logits[:, corner] = 5
        _, scores = evaluate(detector_graph.decode, raw, logits)
        first, last = scores.reshape(len(frames), 2).T > 0.9
        whole, half = 0, len(frames) - 1
        # The image's own corners belong to the first tile and to the last one.
        assert np.flatnonzero(first).tolist() == [whole, 1, half]
        assert np.flatnonzero(last).tolist() == [whole, len(frames) - 2, half]

    def test_non_maximum_suppression_keeps_the_best_box(self):
        boxes = [[0.1, 0.1, 0.3, 0.3], [0.12, 0.1, 0.32, 0.3], [0.6, 0.6, 0.8, 0.8], [0, 0, 1, 1]]
        kept, scores = evaluate(
            detector_graph.suppress, np.float32(boxes), np.float32([0.85, 0.95, 0.9, 0.79])
        )
        assert np.allclose(kept, [boxes[1], boxes[2]])
        assert np.allclose(scores, [0.95, 0.9])

    def test_boxes_are_enlarged_to_squares_about_their_centers(self):
        (box,) = evaluate(detector_graph.enlarge, np.float32([[0.2, 0.4, 0.4, 0.5]]))
        half = 0.2 * detector_graph.BOX_SCALE / 2
        assert np.allclose(box, [0.3 - half, 0.45 - half, 0.3 + half, 0.45 + half])


class TestKeypointsGraph:
    @pytest.mark.parametrize("turn", [-30, 0, 90])
    def test_frame_follows_face_rotation(self, turn):
        turned = np.radians(turn)
        rotation = np.array([[np.cos(turned), np.sin(turned)], [-np.sin(turned), np.cos(turned)]])
        upright = np.random.default_rng(0).uniform(-0.1, 0.1, (468, 2))
        upright[0], upright[1] = (-0.2, -0.3), (0.2, 0.3)  # The extent: 0.4 wide, 0.6 high.
        upright[33], upright[263] = (-0.1, -0.1), (0.1, -0.1)
        mesh = np.zeros((468, 3), np.float32)
        mesh[:, :2] = upright @ rotation + (0.4, 0.6)
        middle, axes = evaluate(keypoints.upright_frame, mesh)
        assert np.allclose(middle, [[0.4, 0.6]], atol=1e-5)
        assert np.allclose(axes, rotation * 0.6 * keypoints.ROOM, atol=1e-5)

    def test_resample_equals_opencv_warp(self):
        image = np.random.default_rng(0).uniform(0, 255, (160, 160, 3)).astype(np.float32)
        image = cv2.GaussianBlur(image, (0, 0), 3)
        turn, scale = np.radians(20), 0.7
        axes = scale * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        middle = np.array([0.55, 0.4])

        def resample(image: Any, middle: Any, axes: Any) -> Any:
            return keypoints.resample(keypoints.pixel_squares(image), 160, middle, axes)

        (ours,) = evaluate(resample, image[np.newaxis], np.float32([middle]), np.float32(axes))
        # From an output pixel's index to the input's: pixels' middles lie at halves.
        matrix = 160 / 192 * axes.T
        offset = (middle + axes.T @ np.full(2, 0.5 / 192 - 0.5)) * 160 - 0.5
        expected = cv2.warpAffine(
            image,
            np.column_stack([matrix, offset]),
            (192, 192),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        # OpenCV rounds coordinates to 32nds of a pixel.
        assert np.abs(ours - expected).max() < 1


def converted(network: Callable[[Any], Any], shape: tuple[int, ...]) -> bytes:
    """A network as a TFLite file with float16 weights, written by TensorFlow's converter."""
    with tf.Graph().as_default(), tf.Session() as opened:
        x = tf.placeholder(tf.float32, shape)
        converter = tf.lite.TFLiteConverter.from_session(opened, [x], [network(x)])
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
        return bytes(converter.convert())


def translated(model: bytes, x: Any) -> Any:
    with tf.Graph().as_default(), tf.Session() as opened:
        return opened.run(tflite.Network(model)(tf.constant(x)))


class TestTranslation:
    def test_operations_equal_tensorflow_with_float16_weights(self):
        random = np.random.default_rng(0)

        def weights(*shape: int) -> Any:
            return random.normal(size=shape).astype(np.float16).astype(np.float32)

        first, second, offset = weights(3, 3, 2, 8), weights(3, 3, 8, 1), weights(8)

        def network(x: Any) -> Any:
            y = tf.nn.relu(tf.nn.conv2d(x, first, 2, "SAME") + 0.5)
            y = tf.pad(y, [[0, 0], [1, 1], [1, 1], [0, 0]])
            y = tf.nn.depthwise_conv2d(y, second, [1, 1, 1, 1], "VALID") + offset
            y = y + tf.nn.max_pool2d(y, 2, 1, "SAME")
            y = tf.raw_ops.ResizeBilinear(images=y, size=[12, 12], half_pixel_centers=True)
            return tf.reshape(tf.nn.depth_to_space(y, 2), [1, -1, 2])

        x = random.normal(size=(1, 16, 16, 2)).astype(np.float32)
        model = converted(network, x.shape)
        (ours,) = translated(model, x)
        assert np.allclose(ours, evaluate(network, x), atol=1e-5)
        assert ours.shape == (1, 24 * 24, 2)
        with tf.Graph().as_default() as graph:
            tflite.Network(model)
        large = [n for n in graph.as_graph_def().node if n.op == "Const" and n.ByteSize() > 150]
        assert [node.attr["dtype"].type for node in large] == [tf.float16.as_datatype_enum] * 2

    def test_prelu_slope_applies_only_below_zero(self):
        # TensorFlow's converter writes no PRELU, so there is no file to read it from.
        from shipped_styles.faces.tflite import _prelu

        x = np.float32([[[[-2, -2], [3, 3]]]])
        slope = np.float16([0.25, -1]).reshape(1, 1, 2)
        with tf.Graph().as_default(), tf.Session() as opened:
            bent = opened.run(_prelu(None, slope)(tf.constant(x)))
        assert bent.tolist() == [[[[-0.5, 2], [3, 3]]]]

    @pytest.mark.parametrize("stride", [1, 2])
    def test_padding_of_one_pixel_joins_the_convolution(self, stride):
        random = np.random.default_rng(0)
        kernel = random.normal(size=(3, 3, 2, 4)).astype(np.float16).astype(np.float32)

        def network(x: Any) -> Any:
            x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
            return tf.nn.conv2d(x, kernel, stride, "VALID")

        x = random.normal(size=(1, 8, 8, 2)).astype(np.float32)
        model = converted(network, x.shape)
        (ours,) = translated(model, x)
        assert np.allclose(ours, evaluate(network, x), atol=1e-5)

    def test_first_channels_of_an_output_are_kept_from_their_convolution_on(self):
        random = np.random.default_rng(0)
        first, second = (
            random.normal(size=shape).astype(np.float16).astype(np.float32)
            for shape in ((1, 1, 2, 12), (3, 3, 12, 1))
        )

        def network(x: Any) -> Any:
            y = tf.nn.conv2d(x, first, 1, "VALID") + 0.5
            y = tf.pad(y, [[0, 0], [1, 1], [1, 1], [0, 0]])
            y = tf.nn.depthwise_conv2d(y, second, [1, 2, 2, 1], "VALID") + 0.25
            return tf.reshape(tf.nn.depth_to_space(y, 2), [1, -1, 3])

        x = random.normal(size=(1, 8, 8, 2)).astype(np.float32)
        model = converted(network, x.shape)
        with tf.Graph().as_default() as graph, tf.Session() as opened:
            (kept,) = opened.run(tflite.Network(model, channels=2)(tf.constant(x)))
        assert np.allclose(kept, evaluate(network, x)[..., :2], atol=1e-5)
        kernels = [n for n in graph.as_graph_def().node if n.op.startswith(("Conv", "Depthwise"))]
        assert [graph.get_tensor_by_name(f"{n.name}:0").shape[-1] for n in kernels] == [8, 8]

    def test_channels_that_no_convolution_computes_are_rejected(self):
        model = converted(lambda x: tf.nn.max_pool2d(x, 2, 2, "SAME"), (1, 8, 8, 3))
        with tf.Graph().as_default(), pytest.raises(tflite.UnsupportedModelError, match="kept"):
            tflite.Network(model, channels=1)

    def test_batch_equals_single_images(self):
        def network(x: Any) -> Any:
            return tf.reshape(tf.nn.max_pool2d(x, 2, 2, "SAME"), [1, -1, 3])

        model = converted(network, (1, 8, 8, 3))
        x = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
        (both,) = translated(model, x)
        assert np.allclose(both[1], evaluate(network, x[1:])[0])

    def test_unsupported_operation_is_rejected_by_name(self):
        model = converted(tf.nn.tanh, (1, 8, 8, 3))
        with pytest.raises(tflite.UnsupportedModelError, match="operation TANH"):
            tflite.Network(model)

    def test_resize_without_half_pixel_centers_is_rejected(self):
        def network(x: Any) -> Any:
            return tf.raw_ops.ResizeBilinear(images=x, size=[16, 16], align_corners=True)

        with pytest.raises(tflite.UnsupportedModelError, match="RESIZE_BILINEAR"):
            tflite.Network(converted(network, (1, 8, 8, 3)))

    def test_sparse_rows_are_made_dense(self):
        values, indices = np.float16([1, 2, 3]), np.uint8([3, 0, 2])
        dense = tflite.expand(values, np.uint8([0, 1, 1, 3]), indices, np.array([3, 1, 4]))
        assert dense.dtype == np.float16
        assert dense.tolist() == [[[0, 0, 0, 1]], [[0, 0, 0, 0]], [[2, 0, 3, 0]]]
