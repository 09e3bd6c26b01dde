"""DCT-Net inference engine: NumPy arrays in, NumPy arrays out."""

from dctnet.engine.blending import read_alpha
from dctnet.engine.engine import Cartoon, Engine
from dctnet.shared_limits import MAX_WORKING_SIDE

__all__ = ["MAX_WORKING_SIDE", "Cartoon", "Engine", "read_alpha"]
