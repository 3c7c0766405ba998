"""Small files of microscopes' formats, written by the library of the format where it can write.

OME-Zarr is written by zarr. The libraries of ND2, LIF and CZI only read: the writers here make the least that they
read.
"""

import struct
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np

PIXEL_SIZE = 0.325
NAMES = ("DAPI", "GFP", "RFP", "Cy5")


# OME-Zarr.


def write_zarr(
    path: Path, pixels: np.ndarray, axes: str, *, version: str = "0.4", names: Sequence[str] = (), **options
) -> Path:
    import zarr

    group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    fill_zarr(group, pixels, axes, version=version, names=names, **options)
    return path


def fill_zarr(
    group, pixels: np.ndarray, axes: str, *, version: str = "0.4", names: Sequence[str] = (), **options
) -> None:
    """Write an image of two levels into a group."""
    kinds = {"t": "time", "c": "channel"}
    told = [{"name": a, "type": kinds.get(a, "space")} | ({"unit": "micrometer"} if a in "zyx" else {}) for a in axes]
    levels = []
    for number, step in enumerate((1, 2)):
        level = pixels[..., ::step, ::step]
        chunks = tuple(1 if axis in "tcz" else 16 for axis in axes)
        array = group.create_array(str(number), shape=level.shape, dtype=level.dtype, chunks=chunks, **options)
        array[:] = level
        scale = [PIXEL_SIZE * step if axis in "yx" else 1.0 for axis in axes]
        levels.append({"path": str(number), "coordinateTransformations": [{"type": "scale", "scale": scale}]})
    ome = {"multiscales": [{"axes": told, "datasets": levels}]}
    if names:
        ome["omero"] = {"channels": [{"label": name} for name in names]}
    group.attrs.update(ome if version == "0.4" else {"ome": {"version": version, **ome}})


# ND2.

_MAGIC = 0x0ABECEDA


def write_nd2(
    path: Path,
    frames: np.ndarray,
    loops: Mapping[str, int],
    *,
    names: Sequence[str] = (),
    bits: int = 12,
    lose: Sequence[int] = (),
) -> Path:
    """Write frames of shape ``(n_frames, C, Y, X)``, the last of the loops (T, P, Z) fastest; `lose` some of them."""
    n_frames, n_channels, height, width = frames.shape
    attributes = {
        "uiWidth": width, "uiHeight": height, "uiWidthBytes": width * n_channels * 2, "uiComp": n_channels,
        "uiBpcInMemory": 16, "uiBpcSignificant": bits, "uiSequenceCount": n_frames, "eCompression": 2,
    }  # fmt: skip
    labels = names or [f"channel {i}" for i in range(n_channels)]
    dye = {"m_ExcitationSpectrum": _spectrum(488.0), "m_EmissionSpectrum": _spectrum(520.0)}
    planes = {
        f"a{i}": {"sDescription": label, "uiCompCount": 1, "pFluorescentProbe": dye} for i, label in enumerate(labels)
    }
    metadata = {
        "dCalibration": PIXEL_SIZE, "bCalibrated": True,
        "sPicturePlanes": {"uiCount": n_channels, "sPlaneNew": planes},
    }  # fmt: skip
    chunks = {
        "ImageAttributesLV!": _lv("SLxImageAttributes", attributes),
        "ImageMetadataSeqLV|0!": _lv("SLxPictureMetadata", metadata),
        "ImageMetadataLV!": _lv("SLxExperiment", _experiment(list(loops.items()))),
    }
    for number in range(n_frames):
        if number not in lose:
            pixels = np.ascontiguousarray(np.moveaxis(frames[number], 0, -1), "<u2").tobytes()
            chunks[f"ImageDataSeq|{number}!"] = struct.pack("<d", 0.0) + pixels
    path.write_bytes(_nd2_bytes(chunks))
    return path


def _spectrum(wavelength: float) -> dict:
    return {"uiCount": 1, "pPoint": {"Point0": {"eType": 1, "dWavelength": wavelength, "dTValue": 1.0}}}


def _experiment(loops: list[tuple[str, int]]) -> dict:
    if not loops:
        return {}
    (axis, count), *inner = loops
    points = {f"i{i:010}": {"dPosX": float(i), "dPosY": 0.0} for i in range(count)}
    loop = {
        "T": (1, {"uiCount": count, "dStart": 0.0, "dPeriod": 1.0, "dDuration": 1.0}),
        "P": (2, {"Points": points}),
        "Z": (4, {"uiCount": count, "dZLow": 0.0, "dZHigh": 1.0, "dZStep": 0.5}),
    }[axis]
    told = {"eType": loop[0], "uLoopPars": loop[1]}
    return told | ({"ppNextLevelEx": {"i0000000000": _experiment(inner)}} if inner else {})


def _lv(name: str, value: object) -> bytes:
    """Encode a value in the binary form of ND2's metadata."""
    kinds = {bool: (1, "<B"), int: (3, "<I"), float: (6, "<d")}
    head = bytes([len(name) + 1]) + f"{name}\0".encode("utf-16-le")
    if isinstance(value, dict):
        items = b"".join(_lv(key, item) for key, item in value.items())
        length = 1 + len(head) + 12 + len(items)
        return b"\x0b" + head + struct.pack("<IQ", len(value), length) + items + bytes(8 * len(value))
    if isinstance(value, str):
        return b"\x08" + head + f"{value}\0".encode("utf-16-le")
    number, form = kinds[type(value)]
    return bytes([number]) + head + struct.pack(form, value)


def _nd2_bytes(chunks: Mapping[str, bytes]) -> bytes:
    signature = b"ND2 FILE SIGNATURE CHUNK NAME01!" + b"Ver3.0".ljust(64, b"\0")
    content = bytearray(struct.pack("<IIQ", _MAGIC, 32, 64) + signature)
    entries = b""
    for name, data in chunks.items():
        entries += name.encode() + struct.pack("<QQ", len(content), len(data))
        # Pixels begin at a fixed distance from the chunk that holds them.
        reserve = 4072 if name.startswith("ImageDataSeq") else len(name)
        content += struct.pack("<IIQ", _MAGIC, reserve, len(data)) + name.encode().ljust(reserve, b"\0") + data
    start = len(content)
    end = b"ND2 CHUNK MAP SIGNATURE 0000001!" + struct.pack("<Q", start)
    head = b"ND2 FILEMAP SIGNATURE NAME 0001!"
    return bytes(content) + struct.pack("<IIQ", _MAGIC, len(head), len(entries) + len(end)) + head + entries + end


# LIF.


def write_lif(path: Path, images: Mapping[str, np.ndarray], *, names: Sequence[str] = ()) -> Path:
    """Write images of shape ``(T, Z, C, Y, X)`` by name."""
    elements, blocks = "", b""
    for number, (name, pixels) in enumerate(images.items()):
        block, data = f"MemBlock_{number}", np.ascontiguousarray(pixels, "<u2").tobytes()
        elements += _lif_element(name, block, pixels, names)
        head = struct.pack("<IIBQBI", 0x70, 14 + 2 * len(block), 0x2A, len(data), 0x2A, len(block))
        blocks += head + block.encode("utf-16-le") + data
    root = f'<Element Name="project"><Children>{elements}</Children></Element>'
    xml = f'<LMSDataContainerHeader Version="2">{root}</LMSDataContainerHeader>'
    header = struct.pack("<IIBI", 0x70, 2 * len(xml) + 5, 0x2A, len(xml)) + xml.encode("utf-16-le")
    path.write_bytes(header + blocks)
    return path


def _lif_element(name: str, block: str, pixels: np.ndarray, names: Sequence[str]) -> str:
    n_times, n_depths, n_channels, height, width = pixels.shape
    plane = 2 * height * width
    axes = [(1, width, 2), (2, height, 2 * width), (3, n_depths, plane * n_channels)]
    axes.append((4, n_times, plane * n_channels * n_depths))
    described = "".join(
        f'<DimensionDescription DimID="{axis}" NumberOfElements="{size}" Origin="0" '
        f'Length="{PIXEL_SIZE * 1e-6 * (size - 1)!r}" Unit="m" BitInc="0" BytesInc="{step}"/>'
        for axis, size, step in axes
        if size > 1
    )
    channels = "".join(
        f'<ChannelDescription DataType="0" ChannelTag="0" Resolution="12" NameOfMeasuredQuantity="" Min="0" Max="4095" '
        f'Unit="" LUTName={quoteattr(label)} IsLUTInverted="0" BytesInc="{i * plane}" BitInc="0"/>'
        for i, label in zip(range(n_channels), names or ("Green",) * n_channels, strict=True)
    )
    described = f"<Channels>{channels}</Channels><Dimensions>{described}</Dimensions>"
    image = f"<Data><Image><ImageDescription>{described}</ImageDescription></Image></Data>"
    memory = f'<Memory Size="{pixels.nbytes}" MemoryBlockID="{block}"/>'
    return f"<Element Name={quoteattr(name)}>{image}{memory}</Element>"


# CZI.


def write_czi(
    path: Path,
    pixels: np.ndarray,
    *,
    names: Sequence[str] = (),
    tiles: int = 1,
    bits: int = 12,
    lose: Sequence[int] = (),
) -> Path:
    """Write an image of shape ``(S, T, Z, C, Y, X)``, each plane as tiles side by side; `lose` some of the planes."""
    n_scenes, n_times, n_depths, n_channels, height, width = pixels.shape
    blocks = []
    order = product(range(n_scenes), range(n_times), range(n_depths), range(n_channels))
    for number, (s, t, z, c) in enumerate(order):
        for m in range(0 if number in lose else tiles):
            left, right = m * width // tiles, (m + 1) * width // tiles
            place = {"X": (left + 1000 * s, right - left), "Y": (10, height), "C": (c, 1), "Z": (z, 1), "T": (t, 1)}
            place |= {"S": (s, 1)} if n_scenes > 1 else {}
            place |= {"M": (m, 1)} if tiles > 1 else {}
            blocks.append((place, np.ascontiguousarray(pixels[s, t, z, c, :, left:right], "<u2").tobytes()))
    path.write_bytes(_czi_bytes(blocks, _czi_metadata(names, bits)))
    return path


def _czi_metadata(names: Sequence[str], bits: int) -> bytes:
    channels = "".join(f'<Channel Id="Channel:{i}" Name={quoteattr(name)}/>' for i, name in enumerate(names))
    image = f"<ComponentBitCount>{bits}</ComponentBitCount><Dimensions><Channels>{channels}</Channels></Dimensions>"
    scales = "".join(f'<Distance Id="{axis}"><Value>{PIXEL_SIZE * 1e-6!r}</Value></Distance>' for axis in "XY")
    inside = f"<Information><Image>{image}</Image></Information><Scaling><Items>{scales}</Items></Scaling>"
    return f"<ImageDocument><Metadata>{inside}</Metadata></ImageDocument>".encode()


def _czi_bytes(blocks: Sequence[tuple[Mapping[str, tuple[int, int]], bytes]], metadata: bytes) -> bytes:
    content, entries = bytearray(32 + 512), []
    for place, data in blocks:
        entry = _czi_entry(place, len(content))
        entries.append(entry)
        head = struct.pack("<iiq", 0, 0, len(data)) + entry + bytes(max(240 - len(entry), 0))
        content += _czi_segment("ZISRAWSUBBLOCK", head + data)
    directory = len(content)
    content += _czi_segment("ZISRAWDIRECTORY", struct.pack("<i", len(entries)) + bytes(124) + b"".join(entries))
    told = len(content)
    content += _czi_segment("ZISRAWMETADATA", struct.pack("<ii", len(metadata), 0) + bytes(248) + metadata)
    guid = bytes(range(16))
    header = struct.pack("<iiii16s16siqqiq", 1, 0, 0, 0, guid, guid, 0, directory, told, 0, 0)
    content[: 32 + 512] = _czi_segment("ZISRAWFILE", header.ljust(512, b"\0"))
    return bytes(content)


def _czi_entry(place: Mapping[str, tuple[int, int]], position: int) -> bytes:
    head = struct.pack("<2siqiiBB4si", b"DV", 1, position, 0, 0, 0, 0, b"", len(place))
    return head + b"".join(
        struct.pack("<4siifi", axis.encode(), at, size, 0.0, size) for axis, (at, size) in place.items()
    )


def _czi_segment(name: str, data: bytes) -> bytes:
    padded = data + bytes(-len(data) % 32)
    return struct.pack("<16sqq", name.encode(), len(padded), len(data)) + padded
