"""The formats of picture files: by their names, and by their first bytes."""

from __future__ import annotations

READABLE = "JPEG, PNG, WebP, TIFF, GIF, BMP, AVIF, HEIC"

PICTURE_EXTENSIONS = (
    ".png",
    ".jpg",
    ".jpeg",
    ".webp",
    ".tif",
    ".tiff",
    ".bmp",
    ".gif",
    ".heic",
    ".heif",
    ".avif",
)
"""Files with one of these are taken for pictures where a folder is named."""

_EIGHT_BITS = (".jpg", ".jpeg", ".webp")

_SIGNATURES = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "TIFF": (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"),
    "GIF": (b"GIF87a", b"GIF89a"),
}
# Two letters begin many a text too; behind them stands the length of one of the known headers.
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)
# Brands of the ISO base media file format (ISO/IEC 14496-12) that hold still pictures.
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


def format_of(head: bytes) -> str | None:
    """The format of a file, ``JPEG`` or ``PNG`` and so on; None where it is none of `READABLE`.

    Args:
        head: the first 64 bytes of the file, or all if it is shorter.
    """
    for file_format, signatures in _SIGNATURES.items():
        if head.startswith(signatures):
            return file_format
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        # The box: its length, its name, the major brand, a version, the compatible brands.
        length = int.from_bytes(head[:4])
        brands = {head[at : at + 4] for at in (8, *range(16, min(length, len(head)), 4))}
        if brands & _AVIF_BRANDS:
            return "AVIF"
        if brands & _HEIC_BRANDS:
            return "HEIC"
    return None


def depth_refusal(path: str, bits: int | None) -> str | None:
    """Why a file cannot have the bits that were asked for; None where it can, or none were."""
    ending = next((one for one in _EIGHT_BITS if path.lower().endswith(one)), None)
    if ending is None or bits in (None, 8):
        return None
    return f"bits {bits}: {ending} has 8 bits; give a name with .tif or .png, or leave bits out"
