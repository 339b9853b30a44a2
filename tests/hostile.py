"""Pictures, lists, tars and archives as strangers may send them, made here and stored nowhere.

`CASES` has a maker and the outcome that is expected of each; `python tests/hostile.py` prints the
table of docs/strangers.md.
"""

import base64
import io
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

READ, REFUSED = "read", "a sentence"


@dataclass(frozen=True)
class Case:
    """``make`` writes into an empty folder; ``outcome`` is `READ`, `REFUSED` or a kind of fault."""

    kind: str
    name: str
    make: Callable[[Path], object]
    outcome: str


def encoded(form: str, size: tuple[int, int] = (40, 40), mode: str = "RGB", **options) -> bytes:
    """A good picture file."""
    buffer = io.BytesIO()
    Image.new(mode, size, 99).save(buffer, format=form, **options)
    return buffer.getvalue()


GOOD = encoded("PNG")


# -- pictures -------------------------------------------------------------------------------------
def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG file."""
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def png(width: int, height: int, data: bytes, *more: bytes, depth: int = 8, colour: int = 2):
    """A PNG file of any declared size, with any content."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", head), *more, chunk(b"IDAT", data), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def gif(width: int, height: int, rest: bytes) -> bytes:
    """A GIF file with two colours."""
    return (
        b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff" + rest
    )


def bmp(width: int, height: int, *, at: int = 54, compression: int = 0, bits: int = 24) -> bytes:
    """A BMP file of any declared size."""
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 4000, 0, 0, at) + head + bytes(300)


def exif(*entries: tuple[int, int, int, bytes], after: int = 0) -> bytes:
    """An EXIF block of entries (tag, type, count, four bytes)."""
    body = b"".join(struct.pack("<HHI", *entry[:3]) + entry[3] for entry in entries)
    head = b"II*\0" + struct.pack("<IH", 8, len(entries))
    return b"Exif\0\0" + head + body + struct.pack("<I", after) + b"12345678"


def with_exif(block: bytes) -> bytes:
    """A JPEG with that block."""
    return encoded("JPEG", exif=block)


def jpeg_of(width: int, height: int) -> bytes:
    """A JPEG that declares another size than it has."""
    content = bytearray(encoded("JPEG"))
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(content)


def many_scans() -> bytes:
    """A progressive JPEG whose last scan comes a thousand times."""
    content = encoded("JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    return content[:last] + content[last:-2] * 1000 + b"\xff\xd9"


def webp_of(width: int, height: int) -> bytes:
    """A lossless WebP that declares a size."""
    bits = (width - 1) | (height - 1) << 14
    data = b"\x2f" + struct.pack("<I", bits) + bytes(20)
    body = b"WEBPVP8L" + struct.pack("<I", len(data)) + data + b"\0"
    return b"RIFF" + struct.pack("<I", len(body)) + body


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(x) run showpage\n"
TEXT = b"\x02\0"  # EXIF's type of a text, as the second of an entry
_RAW = zlib.compress(bytes(41 * 121), 1)
_BOMB = zlib.compress(bytes(2 * 10**7), 9)

PICTURES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "bad"),
    "one byte": (b"\xff", "bad"),
    "a text": (b"hello", "bad"),
    "a web page under a picture's name": (b"<!DOCTYPE html><html>404</html>", "bad"),
    "EPS, for which Pillow starts gs": (EPS, "bad"),
    "PDF": (b"%PDF-1.4\n1 0 obj\n", "bad"),
    "SVG": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "bad"),
    "TIFF": (encoded("TIFF"), "bad"),
    "PPM": (encoded("PPM"), "bad"),
    "PCX": (encoded("PCX"), "bad"),
    "TGA": (encoded("TGA"), "bad"),
    "ICO": (encoded("ICO"), "bad"),
    "PNG, half": (GOOD[: len(GOOD) // 2], "bad"),
    "PNG, the header only": (GOOD[:33], "bad"),
    "PNG, its sum wrong": (GOOD.replace(b"IDAT", b"IDAU", 1), "bad"),
    "PNG, no pixels": (png(0, 0, _RAW), "bad"),
    "PNG, pixels that are noise": (png(40, 40, b"\x77" * 99), "bad"),
    "PNG, a chunk longer than the file": (GOOD[:33] + b"\x7f\xff\xff\xff" + GOOD[37:], "any"),
    "PNG, 60,000 x 60,000 declared": (png(60000, 60000, _RAW), "bad"),
    "PNG, 20,000 x 8,000 of one bit": (png(20000, 8000, _BOMB, depth=1, colour=0), "bad"),
    "PNG, 2 billion a side": (png(2**31 - 1, 2**31 - 1, _RAW), "bad"),
    "PNG, a text chunk that is a bomb": (
        png(40, 40, _RAW, chunk(b"zTXt", b"a\0\0" + _BOMB)),
        "any",
    ),
    "PNG, a profile that is a bomb": (png(40, 40, _RAW, chunk(b"iCCP", b"a\0\0" + _BOMB)), "any"),
    "PNG, a palette of no colours": (png(40, 40, _RAW, chunk(b"PLTE", b""), colour=3), "any"),
    "PNG, EXIF that is noise": (png(40, 40, _RAW, chunk(b"eXIf", b"MM\0*\xff\xff")), "good"),
    "PNG, a profile in XMP that is noise": (
        png(40, 40, _RAW, chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation='9'")),
        "good",
    ),
    "PNG of 16 bits": (encoded("PNG", mode="I;16"), "good"),
    "GIF, the header only": (b"GIF89a", "bad"),
    "GIF, no picture in it": (gif(9, 9, b";"), "bad"),
    "GIF, 65,535 x 65,535": (gif(65535, 65535, encoded("GIF")[19:]), "bad"),
    "GIF, pixels that are noise": (
        gif(9, 9, b"," + struct.pack("<HHHHB", 0, 0, 9, 9, 0) + b"\x02\x05\xff\xff\xff\xff\xff\0;"),
        "any",
    ),
    "GIF, a frame far outside": (
        gif(9, 9, b"," + struct.pack("<HHHHB", 60000, 60000, 60000, 60000, 0) + b"\x02\x01\x44\0;"),
        "bad",
    ),
    "BMP, 2 billion wide": (bmp(2**31 - 1, 40), "bad"),
    "BMP, a negative width": (bmp(-40, 40), "bad"),
    "BMP, pixels after the file": (bmp(40, 40, at=10**9), "bad"),
    "BMP, run lengths that are noise": (bmp(40, 40, compression=1, bits=8), "any"),
    "BMP, 77 bits a pixel": (bmp(40, 40, bits=77), "bad"),
    "WebP, half": (encoded("WEBP")[:30], "bad"),
    "WebP, 16,383 x 16,383 declared": (webp_of(16383, 16383), "bad"),
    "WebP, pixels that are noise": (webp_of(40, 40), "any"),
    "JPEG, half": (encoded("JPEG", (90, 90))[:500], "bad"),
    "JPEG, two bytes": (b"\xff\xd8", "bad"),
    "JPEG, 65,500 x 65,500 declared": (jpeg_of(65500, 65500), "bad"),
    "JPEG, more pixels than it has": (jpeg_of(5000, 5000), "any"),
    "JPEG, a thousand scans": (many_scans(), "bad"),
    "JPEG, no tables": (encoded("JPEG").replace(b"\xff\xc4", b"\xff\xe5"), "any"),
    "JPEG of CMYK": (encoded("JPEG", mode="CMYK"), "good"),
    "JPEG, EXIF: a text for the orientation": (with_exif(exif((0x112, 2, 4, b"top\0"))), "good"),
    "JPEG, EXIF: orientation 9": (with_exif(exif((0x112, 3, 1, b"\x09\0\0\0"))), "good"),
    "JPEG, EXIF: two orientations": (with_exif(exif((0x112, 3, 2, b"\x03\0\x06\0"))), "good"),
    "JPEG, EXIF: a text for the resolution": (
        with_exif(exif((0x112, 3, 1, b"\x03\0\0\0"), (0x11A, 2, 4, b"abc\0"))),
        "good",
    ),
    "JPEG, EXIF: a text for a length": (
        with_exif(exif((0x112, 3, 1, b"\x03\0\0\0"), (0x101, 2, 4, b"abc\0"))),
        "good",
    ),
    "JPEG, EXIF: noise": (with_exif(b"Exif\0\0" + b"\xa5" * 40), "good"),
    "JPEG, EXIF: cut": (with_exif(exif((0x112, 3, 1, b"\x03\0\0\0"))[:18]), "good"),
    "JPEG, EXIF: directories in a ring": (
        with_exif(exif((0x8769, 4, 1, b"\x08\0\0\0"), (0x112, 3, 1, b"\x01\0\0\0"), after=8)),
        "good",
    ),
    "JPEG, EXIF: four billion numbers": (
        with_exif(exif((0x112, 12, 2**32 - 1, b"\0\0\0\0"))),
        "good",
    ),
}
OUTCOME = {"bad": "pictures unreadable", "good": READ, "any": "either"}


def beside(content: bytes, name: bytes = b"x.jpg") -> Callable[[Path], object]:
    """A maker of a picture with a caption."""

    def make(folder: Path) -> None:
        here = os.fsencode(folder) + b"/"
        Path(os.fsdecode(here + name)).write_bytes(content)
        Path(os.fsdecode(here + name.rpartition(b".")[0] + b".txt")).write_text("a cat")

    return make


def fifo(folder: Path, name: str) -> None:
    os.mkfifo(folder / name)


def zero(folder: Path, name: str) -> None:
    (folder / name).symlink_to("/dev/zero")


def sparse(folder: Path, name: str) -> None:
    with (folder / name).open("wb") as file:
        file.truncate(2**40)


def captioned(make: Callable[[Path, str], object], name: str = "x.jpg") -> Callable[[Path], object]:
    def both(folder: Path) -> None:
        make(folder, name)
        (folder / name).with_suffix(".txt").write_text("a cat")

    return both


FILES = {
    "a pipe": (captioned(fifo), "files refused"),
    "a link to /dev/zero": (captioned(zero), "files refused"),
    "a folder": (captioned(lambda f, n: (f / n).mkdir()), "either"),
    "a link to nothing": (captioned(lambda f, n: (f / n).symlink_to("no")), "pictures unreadable"),
    "a link to itself": (captioned(lambda f, n: (f / n).symlink_to(n)), "either"),
    "a file of a terabyte that takes no place": (captioned(sparse), "pictures unreadable"),
    "a name that is not UTF-8": (beside(GOOD, b"caf\xe9.png"), READ),
    "a name with a line feed": (beside(GOOD, b"a\nb.png"), READ),
    "a suffix in capitals": (beside(GOOD, b"x.PNG"), READ),
    "HEIC": (beside(b"\0\0\0 ftypheic", b"x.heic"), "pictures unreadable"),
    "a caption that is a pipe": (
        lambda f: ((f / "x.png").write_bytes(GOOD), os.mkfifo(f / "x.txt")),
        "files refused",
    ),
    "a caption of a terabyte": (
        lambda f: ((f / "x.png").write_bytes(GOOD), sparse(f, "x.txt")),
        "files refused",
    ),
}


# -- lists ----------------------------------------------------------------------------------------
def listed(name: str, text: str | bytes) -> Callable[[Path], object]:
    """A maker of a list beside the pictures good.png and x.png, of which good.png is listed too."""

    def make(folder: Path) -> None:
        for stem in ("good", "x"):
            (folder / f"{stem}.png").write_bytes(GOOD)
        good = b"good.png\ta dog\n" if name.endswith("tsv") else b'{"file":"good.png","text":"a"}\n'
        content = text.encode() if isinstance(text, str) else text
        (folder / name).write_bytes(content if content[:2] == b"\xff\xfe" else good + content)

    return make


def jsonl(text: str | bytes) -> Callable[[Path], object]:
    return listed("captions.jsonl", text)


def tsv(text: str | bytes) -> Callable[[Path], object]:
    return listed("captions.tsv", text)


def caption_json(content: bytes, text: str | None = None) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        (folder / "x.png").write_bytes(GOOD)
        (folder / "x.json").write_bytes(content)
        if text is not None:
            (folder / "x.txt").write_text(text)

    return make


DEEP = b"[" * 200_000
DIGITS = b'{"file": "x.png", "caption": "a", "width": ' + b"9" * 10_000 + b"}"
LISTS = {
    "a name that climbs out": (tsv("../../x.png\ta"), "files refused"),
    "/etc/passwd": (jsonl('{"file": "/etc/passwd", "caption": "a"}'), "files refused"),
    "/etc/passwd by climbing": (tsv("../../../../etc/passwd\ta"), "files refused"),
    "a drive of Windows": (tsv("C:/x.png\ta"), "files refused"),
    "a name of Windows that climbs": (tsv("..\\x.png\ta"), "files refused"),
    "a name that is no picture's": (jsonl('{"file": "notes.md", "caption": "a"}'), "files refused"),
    "a name with a zero byte": (
        jsonl('{"file": "x\\u0000.png", "caption": "a"}'),
        "pictures unreadable",
    ),
    "a name of 5,000 letters": (tsv("x" * 5000 + ".png\ta"), "either"),
    "a picture that is not there": (tsv("no.png\ta"), "pictures unreadable"),
    "a lone surrogate": (jsonl('{"file": "x.png", "caption": "\\ud800 cat"}'), READ),
    "a name of a lone surrogate": (
        jsonl('{"file": "\\ud800.png", "caption": "a"}'),
        "pictures unreadable",
    ),
    "a byte of cp1252": (tsv(b"x.png\tcaf\xe9\n"), "captions not UTF-8"),
    "U+2028 in a caption": (tsv("x.png\ta\u2028b\x85c\x0bd\n"), READ),
    "special tokens": (tsv("x.png\ta <pad> b <end> c"), READ),
    "a mark before the first line": (tsv(b"\xef\xbb\xbfx.png\ta\n"), READ),
    "UTF-16": (tsv("\ufeffx.png\ta\n".encode("utf-16-le")), REFUSED),
    "ends of lines as in 1984": (tsv("x.png\ta\rx.png\tb\r"), READ),
    "a caption of a megabyte": (tsv("x.png\t" + "word" * 250_000), READ),
    "a line of 17 megabytes": (tsv("x.png\t" + "a" * 17_000_000), REFUSED),
    "a line without a tab": (tsv("x.png a cat"), REFUSED),
    "JSON nested 200,000 deep": (jsonl(DEEP), REFUSED),
    "JSON with a number of 10,000 digits": (jsonl(DIGITS), REFUSED),
    "JSON that is no object": (jsonl("3"), REFUSED),
    "JSON cut": (jsonl('{"file": "x.p'), REFUSED),
    "no name": (jsonl('{"caption": "a"}'), REFUSED),
    "a number for a name": (jsonl('{"file": 3, "caption": "a"}'), REFUSED),
    "a number for a caption": (jsonl('{"file": "x.png", "caption": 3}'), "captions empty"),
    "an object for a caption": (jsonl('{"file": "x.png", "caption": {"a": 1}}'), "captions empty"),
    "a hundred thousand captions": (
        jsonl(json.dumps({"file": "x.png", "caption": ["a"] * 100_000})),
        READ,
    ),
    "blanks for a caption": (tsv("x.png\t \u3000 "), "captions empty"),
    "beside: JSON nested deep": (caption_json(DEEP), "captions empty"),
    "beside: JSON of a downloader hides no text": (caption_json(b'{"width": 3}', "a cat"), READ),
    "beside: broken JSON hides no text": (caption_json(b'{"width"', "a cat"), READ),
    "beside: JSON with a number of 10,000 digits": (caption_json(DIGITS), "captions empty"),
}


# -- tars -----------------------------------------------------------------------------------------
def header(
    name: str | bytes,
    size: int | bytes = 0,
    kind: bytes = b"0",
    *,
    link: bytes = b"",
    wrong: int = 0,
) -> bytes:
    """A header of a tar with any size (a number, or the field's twelve bytes), sum included."""
    name = name.encode() if isinstance(name, str) else name
    field = size if isinstance(size, bytes) else b"%011o\0" % size
    block = bytearray(512)
    for at, value in ((0, name[:100]), (100, b"0000644\0"), (124, field), (156, kind), (157, link)):
        block[at : at + len(value)] = value
    block[257:265] = b"ustar\x0000"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % (sum(block) + wrong)
    return bytes(block)


def member(name: str | bytes, data: bytes, kind: bytes = b"0") -> bytes:
    """A file in a tar."""
    return header(name, len(data), kind) + data + bytes(-len(data) % 512)


def pax(*records: tuple[bytes, bytes]) -> bytes:
    """An extended header."""
    body = b""
    for key, value in records:
        length = len(key) + len(value) + 3
        length += len(str(length + len(str(length))))
        body += b"%d %s=%s\n" % (length, key, value)
    return member("pax", body, b"x")


END = bytes(1024)
FIRST = member("good.png", GOOD) + member("good.txt", b"a dog")
LAST = member("x.png", GOOD) + member("x.txt", b"a cat")


def tar(*parts: bytes, end: bytes = END, name: str = "t.tar") -> Callable[[Path], object]:
    """A tar of a good pair and then some parts."""
    return lambda folder: (folder / name).write_bytes(FIRST + b"".join(parts) + end)


def sizes(content: bytes) -> Callable[[Path], object]:
    return lambda folder: (tar()(folder), (folder / "sizes.json").write_bytes(content))


CUT = "shards cut short"
TARS = {
    "no end": (tar(end=b""), CUT),
    "cut in a header": (tar(end=LAST[:300]), CUT),
    "cut in a picture": (tar(end=LAST[:550]), CUT),
    "a wrong sum": (tar(header("x.png", 0, wrong=1), LAST), CUT),
    "noise": (tar(b"\xa5" * 4096), CUT),
    "a negative size": (tar(header("x.png", b"\xff" * 12), LAST), CUT),
    "a negative size that goes back one file": (
        tar(header("x.png", b"\xff" * 10 + b"\xfc\0"), LAST),
        CUT,
    ),
    "a minus before the size": (tar(header("x.png", b"-0000001000\0"), LAST), CUT),
    "a size that is no number": (tar(header("x.png", b"12345678xyz\0"), LAST), CUT),
    "a size of 10^27": (tar(header("x.png", b"\x80" + b"\x03" * 11), LAST), CUT),
    "a size after the file": (tar(header("x.png", 10**9), LAST), CUT),
    "an extended header: the name": (
        tar(pax((b"path", b"x.png")), member("y", GOOD), LAST[1024:]),
        "either",
    ),
    "an extended header: a negative size": (tar(pax((b"size", b"-512")), LAST), CUT),
    "an extended header of a gigabyte": (tar(header("pax", 10**9, b"x"), LAST), CUT),
    "an extended header: a length of 0": (tar(member("pax", b"0 path=x\n", b"x"), LAST), CUT),
    "an extended header: half a million digits": (
        tar(member("pax", b"1" * 500_000, b"x"), LAST),
        CUT,
    ),
    "a thousand extended headers": (tar(*[pax((b"path", b"x.png"))] * 1000, LAST), CUT),
    "a long name of GNU": (
        tar(member("long", b"x.png\0", b"L"), member("y", GOOD), member("x.txt", b"a cat")),
        READ,
    ),
    "a long name of a gigabyte": (tar(header("long", 10**9, b"L"), LAST), CUT),
    "a file with holes": (
        tar(header("x.png", 0, b"S"), member("x.txt", b"a")),
        "pairs incomplete files refused",
    ),
    "a link to /etc/passwd": (tar(header("x.png", 0, b"2", link=b"/etc/passwd")), "files refused"),
    "a hard link": (tar(header("x.png", 0, b"1", link=b"good.png")), "files refused"),
    "a pipe in it": (tar(header("x.png", 0, b"6")), "files refused"),
    "a device in it": (tar(header("x.png", 0, b"3")), "files refused"),
    "names that climb out": (tar(member("../../x.png", GOOD), member("../../x.txt", b"a")), READ),
    "names that are not UTF-8": (tar(member(b"\xe9.png", GOOD), member(b"\xe9.txt", b"a")), READ),
    "names from the root": (tar(member("/x.png", GOOD), member("/x.txt", b"a cat")), READ),
    "files of macOS": (
        tar(member("._x.png", b"\0\5\x16\7"), member("__MACOSX/x.txt", b""), LAST),
        READ,
    ),
    "two thousand files of one name": (
        tar(*[header(f"x.{k}", 0) for k in range(2_000)]),
        "pairs incomplete",
    ),
    "no caption": (tar(member("x.png", GOOD)), "pairs incomplete"),
    "no picture": (tar(member("x.txt", b"a cat")), "pairs incomplete"),
    "a caption of 17 megabytes": (
        tar(member("x.png", GOOD), member("x.txt", b"a" * 17_000_000)),
        "files refused",
    ),
    "captions nested deep": (tar(member("x.png", GOOD), member("x.json", DEEP)), "captions empty"),
    "a caption of cp1252": (
        tar(member("x.png", GOOD), member("x.txt", b"caf\xe9")),
        "captions not UTF-8",
    ),
    "a lone surrogate in a tar": (
        tar(member("x.png", GOOD), member("x.json", b'{"caption": "\\ud800"}')),
        READ,
    ),
    "compressed": (
        lambda f: (f / "t.tar").write_bytes(
            base64.b64decode("H4sIAAAAAAAAAwMAAAAAAAAAAAA=") + bytes(600)
        ),
        REFUSED,
    ),
    "nothing in it": (lambda f: (f / "t.tar").write_bytes(b""), REFUSED),
    "a pipe for a tar": (lambda f: os.mkfifo(f / "t.tar"), REFUSED),
    "a link to /dev/zero for a tar": (lambda f: (f / "t.tar").symlink_to("/dev/zero"), REFUSED),
    "sizes below 0": (sizes(b'{"t.tar": -5}'), REFUSED),
    "sizes nested deep": (sizes(DEEP), REFUSED),
    "sizes that are texts": (sizes(b'{"t.tar": "many"}'), REFUSED),
    "sizes without end": (sizes(b'{"t.tar": 1e999}'), REFUSED),
}


# -- archives of arrays and concepts --------------------------------------------------------------
def arrays(**changed: np.ndarray) -> dict[str, np.ndarray]:
    """Two pictures of the packaged format."""
    good = {
        "index": np.zeros((2, 4, 4), np.uint8),
        "palette": np.zeros((2, 1, 3), np.uint8),
        "vendor": np.zeros(2, np.int64),
        "concept": np.zeros(2, np.int64),
        "vendors": np.array(["a"]),
    }
    return good | changed


def npz(**changed: np.ndarray) -> Callable[[Path], object]:
    return lambda folder: np.savez(folder / "d.npz", **arrays(**changed))


def npy(head: bytes, body: bytes = b"") -> bytes:
    """An .npy file with any header."""
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(head)) + head + body


def zipped(content: bytes, *, deflate: bool = False, flags: int = 0) -> Callable[[Path], object]:
    """Two good pictures whose index is any bytes."""

    def make(folder: Path) -> None:
        how = zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED
        with zipfile.ZipFile(folder / "d.npz", "w", how) as archive:
            for name, value in arrays().items():
                buffer = io.BytesIO()
                np.save(buffer, value)
                archive.writestr(f"{name}.npy", content if name == "index" else buffer.getvalue())
        if flags:
            whole = bytearray((folder / "d.npz").read_bytes())
            whole[whole.index(b"PK\x01\x02") + 8] |= flags
            (folder / "d.npz").write_bytes(whole)

    return make


def claims_gigabytes(folder: Path) -> None:
    """An archive whose directory says that a file of it unpacks to 3 GB."""
    zipped(b"x")(folder)
    whole = bytearray((folder / "d.npz").read_bytes())
    at = whole.index(b"PK\x01\x02")
    whole[at + 24 : at + 28] = struct.pack("<I", 3 * 10**9)
    (folder / "d.npz").write_bytes(whole)


def concepts(content: bytes) -> Callable[[Path], object]:
    return lambda folder: (npz()(folder), (folder / "c.json").write_bytes(content))


_SHAPE = b"{'descr': '|u1', 'fortran_order': False, 'shape': (%s,), }\n"
ARRAYS = {
    "an empty file": (lambda f: (f / "d.npz").write_bytes(b""), REFUSED),
    "a text for an archive": (lambda f: (f / "d.npz").write_bytes(b"hello"), REFUSED),
    "an archive cut": (
        lambda f: (npz()(f), os.truncate(f / "d.npz", 700)),
        REFUSED,
    ),
    "a pipe for an archive": (lambda f: os.mkfifo(f / "d.npz"), REFUSED),
    "a pickle in an array": (npz(index=np.array([{"a": 1}], object)), REFUSED),
    "an archive that says 3 GB": (claims_gigabytes, REFUSED),
    "a bomb of 20 MB": (zipped(npy(_SHAPE % b"20000000", bytes(2 * 10**7)), deflate=True), REFUSED),
    "an array of 10^14 numbers": (zipped(npy(_SHAPE % b"100000000000000")), REFUSED),
    "an array of 10^40 numbers": (zipped(npy(_SHAPE % (b"1" + b"0" * 40))), REFUSED),
    "an array of a negative shape": (zipped(npy(_SHAPE % b"-4")), REFUSED),
    "an array whose header is nested": (zipped(npy(b"(" * 9000)), REFUSED),
    "an array whose header is code": (zipped(npy(b"__import__('os').abort()\n")), REFUSED),
    "an array whose header is cut": (zipped(b"\x93NUMPY\x01\0\xff\xff{"), REFUSED),
    "an array that is encrypted": (zipped(b"x", flags=1), REFUSED),
    "a missing array": (lambda f: np.savez(f / "d.npz", index=np.zeros(3)), REFUSED),
    "numbers of another kind": (npz(index=np.zeros((2, 4, 4))), REFUSED),
    "no pictures": (npz(index=np.zeros((0, 4, 4), np.uint8)), REFUSED),
    "a colour that is not there": (npz(index=np.full((2, 4, 4), 9, np.uint8)), REFUSED),
    "a label out of range": (npz(concept=np.array([0, 10**6])), REFUSED),
    "a label of 2^64 - 1": (npz(vendor=np.array([0, 2**64 - 1], np.uint64)), REFUSED),
    "concepts nested deep": (concepts(DEEP), REFUSED),
    "concepts with a number of 10,000 digits": (concepts(b"[" + b"9" * 10_000 + b"]"), REFUSED),
    "concepts that are no list": (concepts(b'{"concepts": {"a": 1}}'), REFUSED),
    "concepts not UTF-8": (concepts(b"\xff\xfe\xfd"), REFUSED),
}


def _cases() -> list[Case]:
    pictures = {name: (beside(data), OUTCOME[how]) for name, (data, how) in PICTURES.items()}
    tables = {
        "picture": pictures,
        "file": FILES,
        "list": LISTS,
        "tar": TARS,
        "archive": ARRAYS,
    }
    return [
        Case(kind, name, make, outcome)
        for kind, table in tables.items()
        for name, (make, outcome) in table.items()
    ]


CASES = _cases()


def table() -> str:
    """The cases as a table for the documentation."""
    rows = ["| kind | what | outcome |", "| --- | --- | --- |"]
    rows += [f"| {c.kind} | {c.name} | {c.outcome} |" for c in CASES]
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())
