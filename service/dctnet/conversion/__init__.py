"""From a model folder as upstream ships it to a prepared one, which is served without TensorFlow.

Needs the `reference` extra; no part of serving imports it.
"""
