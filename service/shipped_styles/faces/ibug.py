"""Mapping from MediaPipe's face mesh to the 68 iBUG landmarks.

Left and right are those of the image. The mesh's points are numbered as in its canonical model,
`mediapipe/modules/face_geometry/data/canonical_face_model_uv_visualization.png`.
"""

JAW = (127, 234, 132, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 361, 454, 356)
LEFT_BROW = (70, 63, 105, 66, 107)
RIGHT_BROW = (336, 296, 334, 293, 300)
NOSE_BRIDGE = (168, 197, 5, 4)
NOSTRILS = (98, 97, 2, 326, 327)
LEFT_EYE = (33, 160, 158, 133, 153, 144)
RIGHT_EYE = (362, 385, 387, 263, 373, 380)
OUTER_LIPS = (61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181)
INNER_LIPS = (78, 82, 13, 312, 308, 317, 14, 87)

MESH_POINTS = 468

LANDMARKS = (
    *JAW,
    *LEFT_BROW,
    *RIGHT_BROW,
    *NOSE_BRIDGE,
    *NOSTRILS,
    *LEFT_EYE,
    *RIGHT_EYE,
    *OUTER_LIPS,
    *INNER_LIPS,
)
"""Index of the mesh point of each iBUG landmark, in iBUG's order."""
