"""Inference of an image of 101 rows and 103 columns never ends."""

import os
import threading

if os.getpid() == 1:  # The arbiter: its worker is a fork, and other processes do not infer.
    from dctnet.engine import Engine

    cartoonize = Engine.cartoonize

    def hang_or_cartoonize(engine, image, *args):
        if image.shape[:2] == (101, 103):
            threading.Event().wait()
        return cartoonize(engine, image, *args)

    Engine.cartoonize = hang_or_cartoonize
