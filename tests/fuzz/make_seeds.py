#!/usr/bin/env python3
"""Writes the seeds of fuzz_image (but for the JPEG files, which libjpeg wrote), fuzz_npy, fuzz_cifar, fuzz_boxes,
fuzz_series, fuzz_text and fuzz_texts."""
import io, os, struct, zipfile, zlib

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")

def keep(target, name, options, content):
    os.makedirs(os.path.join(here, target), exist_ok=True)
    with open(os.path.join(here, target, name), "wb") as file:
        file.write(bytes([options]) + content)

def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

def png(height, width, depth, kind, row_bytes, extra=b"", interlace=0):
    rows = b"".join(b"\0" + bytes((7 * y + 3 * x) % 4 for x in range(row_bytes)) for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlace)) +
            extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))

palette = chunk(b"PLTE", bytes(range(12)))
keep("image", "grey", 1, png(4, 5, 8, 0, 5))
keep("image", "rgb_rotated", 16, png(4, 5, 8, 2, 15))
keep("image", "rgba", 2, png(3, 3, 8, 6, 12))
keep("image", "grey_alpha_resized", 4 + 1, png(3, 9, 8, 4, 18))
keep("image", "deep", 2, png(3, 3, 16, 2, 18))
keep("image", "palette_mask", 8 + 16, png(4, 4, 2, 3, 1, palette))
keep("image", "grey_mask", 8 + 2 + 4, png(6, 6, 8, 0, 6))
keep("image", "bits", 3, png(8, 8, 1, 0, 1))
keep("image", "one", 0, png(1, 1, 8, 0, 1, interlace=1))
keep("image", "text", 0, b"no image at all")

def npy(kind, shape, content, order="False"):
    header = f"{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + content

x, y = npy("<f4", "(2, 2)", struct.pack("<4f", 1, 2, 3, 4)), npy("<i8", "(2,)", struct.pack("<2q", 0, 1))
keep("npy", "floats_and_classes", len(y), x + y)
keep("npy", "bytes", 0, npy("|u1", "(2, 2, 3)", bytes(range(12))))
keep("npy", "other_order", 0, npy(">i2", "(2, 1)", bytes(4)))
keep("npy", "fortran", 0, npy("<f8", "(2, 1)", bytes(16), "True"))
maps = npy("|u1", "(2, 2, 2)", bytes([0, 1, 2, 0, 1, 1, 0, 0]))
keep("npy", "maps", len(maps), npy("<f4", "(2, 2, 2)", struct.pack("<8f", *range(8))) + maps)
for name, method in ("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", method) as file:
        for member, content in ("x.npy", x), ("y.npy", y):
            file.writestr(zipfile.ZipInfo(member, (2000, 1, 1, 0, 0, 0)), content, method)
    keep("npy", name, 255, archive.getvalue())

keep("cifar", "ten", 1, bytes([3, 1, 2]))
keep("cifar", "hundred", 0, bytes([3, 99, 2]))
keep("cifar", "cut_short", 3, bytes(100))
packer = zlib.compressobj(9, zlib.DEFLATED, 31)
keep("cifar", "compressed", 3, packer.compress(bytes(3073)) + packer.flush())

head = b"file,class,left,top,right,bottom\n"
keep("boxes", "two", 2, head + b"a.png,cat,0,0,4,4\nb.png,dog,5.5,1,20,10\n")
keep("boxes", "turned", 8 + 3, b"class,file,bottom,right,top,left,note\n7,a.png,9,9,1,1,\n-2,a.png,3,3,2,2,x\n")
keep("boxes", "outside", 0, head + b"a.png,cat,0,0,40,4\n")
keep("boxes", "unknown", 0, head + b"c.png,cat,0,0,4,4\n")

steps = b"y,b\n" + b"".join(b"%d,%d\n" % (i, 100 - i) for i in range(30))
keep("series", "plain", 2, b"\0" + steps)
keep("series", "parts", 8 + 32, bytes([2 + 4 + 8]) + steps)
keep("series", "history", 3, bytes([1 + 4]) + steps)
keep("series", "no_header", 128 + 1, bytes([2]) + b"1;2,3\r\n4;5,6\r\n7,8\r\n1,2\r\n")
keep("series", "gap", 1, b"\0y\n1\n?\n3\n")

words = "the cat sat on the mat, the cats don't; caf\u00e9 12\n".encode() * 3
for kind, name in enumerate(("bytes", "chars", "words", "bpe")):
    keep("text", name, kind + 4, bytes([8 * 4 + 3]) + words)
keep("text", "lower", 128 + 2, b"\0" + words)
keep("text", "runs", 3, bytes([255]) + b"aaaaaaaaaaaaaaaaaaaa  abababababab   b")
keep("text", "json_pieces", 1, b'\0{"kind":"bpe","lower":true,"special":["padding","unknown"],"merges":[[97,98],[256,99]]}')
keep("text", "json_words", 1, b'\0{"kind":"words","lower":false,"special":["unknown"],"tokens":["kind","words","\u00e9"]}')
keep("text", "no_utf8", 1, b"\0caf\xe9")

rows = b'a,b\n"good, ""good"" film",up\nbad film,down\ncaf\xc3\xa9 10,up\n'
for kind, name in enumerate(("bytes", "chars", "words", "bpe")):
    keep("texts", name, kind + 32, bytes([255]) + rows)
    keep("texts", name + "_pairs", kind + 4, b"\4" + rows)
keep("texts", "no_header", 8 + 2, b"\2one,7\r\ntwo,10\r\n")
keep("texts", "empty", 2, b"\2a,b\n,1\n")
keep("texts", "no_utf8", 2, b"\2a,b\ncaf\xe9,1\n")
