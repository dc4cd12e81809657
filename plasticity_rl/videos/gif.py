"""Writes pictures as an animated GIF."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image
from PIL import ImageDraw

_BAND = 14  # Pixels for the text below a picture.


def captioned(picture: np.ndarray, text: str) -> Image.Image:
  """A picture, uint8 `[H, W, 3]`, with a line of text below it."""
  height, width = picture.shape[:2]
  image = Image.new('RGB', (width, height + _BAND), 'white')
  image.paste(Image.fromarray(picture), (0, 0))
  ImageDraw.Draw(image).text((2, height + 1), text, 'black')
  return image


def encode(images: Sequence[Image.Image], milliseconds: int) -> bytes:
  """The GIF of pictures of one size, which begins again at its end.

  Args:
    images: at least one.
    milliseconds: for each of them.
  """
  out = io.BytesIO()
  first, *others = (
    image.quantize(64, dither=Image.Dither.NONE) for image in images
  )
  first.save(
    out,
    'GIF',
    save_all=True,
    append_images=others,
    duration=milliseconds,
    loop=0,
  )
  return out.getvalue()
